// The table of the bars as Markdown.
import { median, quantile } from "./bars.mjs";

const digits = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

/** The median, and where there are several the 95th percentile. */
function cell(figures) {
  if (!figures?.length) return "-";
  const [middle, high] = [median(figures), quantile(figures, 0.95)].map(digits);
  return figures.length > 2 ? `${middle} (${high})` : middle;
}

/** How many times more the other takes, and whether that reaches the bar. */
export function judge({ bar, aim }, ours, theirs) {
  if (!ours?.length || !theirs?.length) return { ratio: "-", verdict: "-" };
  const ratio = median(theirs) / median(ours);
  const met = bar === undefined ? "" : ratio >= bar ? "met" : "not met";
  return { ratio: `${digits(ratio)} ×`, verdict: met === "met" && aim && ratio >= aim ? "met, the aim too" : met };
}

/**
 * @param bars see barsFor()
 * @param figures of each runtime, by its name and then by the bars' keys
 * @param names { ours, theirs, further }: of the runtimes whose ratio is judged, and of those beside them
 */
export function barsTable(bars, figures, { ours, theirs, further }) {
  const header = ["", `${ours}`, `${theirs}`, "ratio", "at least", "bar", ...further];
  const rows = bars.map((row) => {
    const { ratio, verdict } = judge(row, figures[ours]?.[row.key], figures[theirs]?.[row.key]);
    const bar = row.bar === undefined ? "" : `${row.bar} ×${row.aim ? ` (aim ${row.aim} ×)` : ""}`;
    const others = further.map((name) => cell(figures[name]?.[row.key]));
    return [
      `${row.what}, ${row.unit}`,
      cell(figures[ours]?.[row.key]),
      cell(figures[theirs]?.[row.key]),
      ratio,
      bar,
      verdict,
      ...others,
    ];
  });
  return [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** What it takes to have so many pods, a row for each number. @param measured of measure.mjs */
export function podsTable(counts, measured) {
  const titles = ["one more pod up, ms", "all up at once, s", "memory, MiB"];
  const header = ["pods", ...titles.flatMap((title) => measured.map(({ name }) => `${title}: ${name}`))];
  const rows = counts.map((count) => {
    const at = measured.map(({ byPods }) => byPods.get(count));
    return [
      String(count),
      ...at.map(({ podUp }) => cell(podUp)),
      ...at.map(({ burst }) => digits(median(burst) / 1000)),
      ...at.map(({ memory }) => digits(memory.daemon.mib + memory.monitors.mib)),
    ];
  });
  return [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** What the memory is made of: "daemon 96.0; 100 monitors or shims of 0.34; no pause containers". */
export function memoryParts({ daemon, monitors, pause }) {
  const each = ({ processes, mib }, what) =>
    processes === 0 ? `no ${what}` : `${processes} ${what} of ${(mib / processes).toFixed(2)}`;
  return [`daemon ${digits(daemon.mib)}`, each(monitors, "monitors or shims"), each(pause, "pause containers")].join(
    "; ",
  );
}
