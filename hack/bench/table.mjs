// The tables as Markdown.
import { median, quantile } from "./bars.mjs";

const digits = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

/** The median, and where there are several the 95th percentile. */
function cell(figures) {
  if (!figures?.length) return "-";
  const [middle, high] = [median(figures), quantile(figures, 0.95)].map(digits);
  return figures.length > 2 ? `${middle} (${high})` : middle;
}

const markdown = (header, rows) =>
  [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

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
 * @param names { ours, theirs, sameRunc }: of the runtimes whose ratio is judged, and of Berth under containerd's runc
 */
export function barsTable(bars, figures, { ours, theirs, sameRunc }) {
  const header = ["", ours, theirs, "ratio", "at least", "bar", sameRunc, "ratio under the same runc"];
  const rows = bars.map((row) => {
    const [own, other, same] = [ours, theirs, sameRunc].map((name) => figures[name]?.[row.key]);
    const { ratio, verdict } = judge(row, own, other);
    const bar = row.bar === undefined ? "" : `${row.bar} ×${row.aim ? ` (aim ${row.aim} ×)` : ""}`;
    const what = `${row.what}, ${row.unit}`;
    return [what, cell(own), cell(other), ratio, bar, verdict, cell(same), judge(row, same, other).ratio];
  });
  return markdown(header, rows);
}

/** @param floor see floor.mjs */
export const floorTable = (floor) =>
  markdown(
    ["alone, ms", ""],
    Object.entries(floor).map(([what, figures]) => [what, cell(figures)]),
  );

/** Of every bar that is not met, whether it asks for less than the floor: a Markdown list. */
export function unmetBars(bars, figures, floor, { ours, theirs }) {
  const lines = bars.flatMap((row) => {
    const { key, what, unit } = row;
    if (judge(row, figures[ours]?.[key], figures[theirs]?.[key]).verdict !== "not met") return [];
    const most = median(figures[theirs][key]) / row.bar;
    const asked = `- ${what}: ${row.bar} × would be ${digits(most)} ${unit}`;
    if (!row.floor) return [`${asked}; it has no floor here`];
    const least = row.floor.reduce((sum, part) => sum + median(floor[part]), 0);
    const parts = `${digits(least)} ms of ${row.floor.join(", ")}`;
    // a machine that was slower just then; nothing can be told by it
    const lower = Object.keys(figures).find((name) => figures[name][key] && median(figures[name][key]) < least);
    if (lower) return [`${asked}; ${lower} was below the floor, which is void: ${parts}`];
    return [`${asked}, ${most < least ? "below" : "above"} the floor: ${parts}`];
  });
  return lines.length === 0 ? "All bars are met." : `Bars that are not met:\n\n${lines.join("\n")}`;
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
  return markdown(header, rows);
}

/** What calls take with so many images, a row for each call. @param images see measureImages() */
export function imagesTable(images) {
  const all = [...images.values()];
  const row = (what, figures) => [what, ...all.map((one) => cell(figures(one)))];
  return markdown(
    ["images", ...[...images.keys()].map(String)],
    [
      ...Object.keys(all[0].times).map((call) => row(`${call}, ms`, ({ times }) => times[call])),
      row("pod up, ms", ({ podUp }) => podUp),
      row("daemon start, ms", ({ start }) => start),
      row("memory of the daemon, MiB", ({ mib }) => [mib]),
    ],
  );
}

/** What the memory is made of: "daemon 96.0; 100 monitors or shims of 0.34; no pause containers". */
export function memoryParts({ daemon, monitors, pause }) {
  const each = ({ processes, mib }, what) =>
    processes === 0 ? `no ${what}` : `${processes} ${what} of ${(mib / processes).toFixed(2)}`;
  return [`daemon ${digits(daemon.mib)}`, each(monitors, "monitors or shims"), each(pause, "pause containers")].join(
    "; ",
  );
}
