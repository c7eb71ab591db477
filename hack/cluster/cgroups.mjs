// The cgroup that everything of one cluster is in, in every hierarchy of the machine.
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import machine from "../support/machine.cjs";

const hierarchies = () =>
  machine
    .mounts()
    .filter(({ type, point }) => (type === "cgroup" || type === "cgroup2") && point.startsWith("/sys/fs/cgroup"))
    .map(({ point }) => point);

/** Makes it. On cgroup v1 a cpuset has no CPUs of its own accord, and nothing may run in it. */
export function makeCgroup(name) {
  for (const point of hierarchies()) {
    const directory = path.join(point, name);
    fs.mkdirSync(directory, { recursive: true });
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      const own = path.join(directory, file);
      if (fs.existsSync(own) && fs.readFileSync(own, "utf8").trim() === "")
        fs.writeFileSync(own, fs.readFileSync(path.join(path.dirname(directory), file), "utf8"));
    }
  }
}

/** Directories of a cgroup by which its use of CPU and memory can be told. */
export const countingCgroups = (name) =>
  hierarchies()
    .map((point) => path.join(point, name))
    .filter((directory) =>
      ["cpuacct.usage", "memory.usage_in_bytes", "memory.current"].some((file) =>
        fs.existsSync(path.join(directory, file)),
      ),
    );

/** Removes it with all below it, once its processes have ended. */
export async function removeCgroup(name) {
  for (const point of hierarchies()) {
    const directory = path.join(point, name);
    if (!fs.existsSync(directory)) continue;
    const below = fs
      .readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => path.join(entry.parentPath, entry.name));
    for (const one of [...below.sort().reverse(), directory])
      for (let tries = 0; fs.existsSync(one); tries++) {
        try {
          fs.rmdirSync(one);
        } catch (error) {
          if (tries === 50) throw error; // a process in it may still be ending
          await sleep(100);
        }
      }
  }
}
