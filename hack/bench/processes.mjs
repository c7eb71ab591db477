// What a runtime's own processes take: the daemon, its monitors or shims, and pause containers.
import fs from "node:fs";
import machine from "../support/machine.cjs";

/** As sysconf(_SC_CLK_TCK) has it on every architecture that Linux runs Node.js on. */
const TICKS_PER_SECOND = 100;

const read = (file) => {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return ""; // ended meanwhile
  }
};

const pssBytes = (pid) => Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;

/** Its CPU seconds so far and those of children that it has waited for. See proc_pid_stat(5). */
function cpuSeconds(pid) {
  const fields = read(`/proc/${pid}/stat`).replace(/.*\) /, "").split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
}

/** The pids of a runtime's processes by what they are: see berth.mjs and containerd.mjs. */
const kindsOf = ({ pid, monitorOf }) => {
  const all = machine.processes();
  const monitors = all.filter(({ args }) => monitorOf(args)).map((one) => one.pid);
  const pause = all.filter(({ parent, args }) => monitors.includes(parent) && args === "/pause").map((one) => one.pid);
  return { daemon: [pid()], monitors, pause };
};

/** { daemon, monitors, pause }: how many there are, and their memory in MiB (PSS). */
export function memory(runtime) {
  const entries = Object.entries(kindsOf(runtime)).map(([kind, pids]) => {
    const mib = pids.reduce((sum, pid) => sum + pssBytes(pid), 0) / 2 ** 20;
    return [kind, { processes: pids.length, mib }];
  });
  return Object.fromEntries(entries);
}

/** CPU seconds of the daemon, and of its monitors or shims. */
export function cpu(runtime) {
  const { daemon, monitors } = kindsOf(runtime);
  const sum = (pids) => pids.reduce((total, pid) => total + cpuSeconds(pid), 0);
  return { daemon: sum(daemon), monitors: sum(monitors) };
}
