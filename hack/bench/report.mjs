// What a run has found, as a part of docs/benchmarks.md and plots beside it.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { median } from "./bars.mjs";
import { plot } from "./plot.mjs";
import { barsTable, floorTable, imagesTable, memoryParts, podsTable, unmetBars } from "./table.mjs";

const BEGIN = "<!-- hack/bench.mjs writes from here -->";
const END = "<!-- to here -->";

/** The first line that a program says of itself. crun would make /run/crun even for this, and can do without. */
const versionLine = (file) =>
  execFileSync(file, ["--version"], { encoding: "utf8", env: { ...process.env, XDG_RUNTIME_DIR: "/dev/null" } }).split(
    "\n",
  )[0];
const system = () => /^PRETTY_NAME="?([^"\n]*)/m.exec(fs.readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";

/** Where and with what it ran. */
function circumstances({ date, load, berthVersion, containerdVersion, programs, images }) {
  const gib = Math.round(os.totalmem() / 2 ** 30);
  const { gzip, zstd } = images.compressedMib;
  return `${date.slice(0, 16).replace("T", " ")} UTC; ${system()}, Linux ${os.release()}, ${os.availableParallelism()} cores, \
${gib} GiB; load when it began: ${load.toFixed(2)}.
Berth ${berthVersion} on Node.js ${process.version}, containerd ${containerdVersion}, ${programs
    .map(versionLine)
    .join(", ")}.
The image that is pulled has ${gzip.toFixed(0)} MiB as gzip and ${zstd.toFixed(0)} MiB as zstd.`;
}

/** @param run { bars, measured, floor, images, counts, many, names, circumstances } */
export function writeReport(directory, run) {
  const { bars, measured, floor, images, counts, many, names } = run;
  const figures = Object.fromEntries(measured.map((one) => [one.name, one.figures]));
  const parts = measured.map(({ name, byPods }) => `${name}: ${memoryParts(byPods.get(many).memory)}`);
  const helpers = measured.map(({ name, figures: own }) => `${name}: ${median(own.idleCpuOfMonitors).toFixed(2)} s`);
  const plots = {
    "benchmarks-latency.svg": {
      title: "One more pod up",
      unit: "ms",
      points: ({ podUp }) => median(podUp),
    },
    "benchmarks-burst.svg": { title: "All up at once", unit: "s", points: ({ burst }) => median(burst) / 1000 },
    "benchmarks-memory.svg": {
      title: "Memory of the runtime's own processes",
      unit: "MiB PSS",
      points: ({ memory }) => memory.daemon.mib + memory.monitors.mib,
    },
  };
  fs.mkdirSync(directory, { recursive: true });
  for (const [file, { title, unit, points }] of Object.entries(plots)) {
    const series = measured.map(({ name, byPods }) => ({
      name,
      points: counts.map((count) => [count, points(byPods.get(count))]),
    }));
    fs.writeFileSync(path.join(directory, file), plot({ title, unit, series }));
  }
  const text = `${circumstances(run.circumstances)}

Medians (95th percentile). The ratio that is judged is of both as they are installed: containerd's median under runc, its
default, to Berth's under crun, its default. The last column is the same ratio with Berth under containerd's own runc; no
bar is judged by it.

${barsTable(bars, figures, names)}

The floor: what the plugins and the OCI runtimes take on this machine by themselves, measured in the same run.

${floorTable(floor)}

${unmetBars(bars, figures, floor, names)}

Memory with ${many} pods, MiB: ${parts.join(". ")}.
CPU of monitors or shims in the same minute: ${helpers.join(", ")}.

${names.ours} with many images, each of two layers, one of them its own:

${imagesTable(images)}

${podsTable(counts, measured)}

![${plots["benchmarks-latency.svg"].title} by number of pods](benchmarks-latency.svg)
![${plots["benchmarks-burst.svg"].title} by number of pods](benchmarks-burst.svg)
![${plots["benchmarks-memory.svg"].title} by number of pods](benchmarks-memory.svg)
`;
  const file = path.join(directory, "benchmarks.md");
  const before = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : `${BEGIN}\n${END}\n`;
  const [head, rest] = [before.split(BEGIN)[0], before.split(END)[1] ?? ""];
  fs.writeFileSync(file, `${head}${BEGIN}\n${text}${END}${rest}`);
  return text;
}
