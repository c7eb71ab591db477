import path from "node:path";
import { readCgroupFile } from "./cgroup-files";
import type { CgroupPaths, Cgroups } from "./cgroups";

export type PressureKind = "cpu" | "memory" | "io";

/** How long tasks have waited: averages in percent of the last 10, 60 and 300 s, the total in ns. */
export interface Stall {
  avg10: number;
  avg60: number;
  avg300: number;
  totalNs: bigint;
}

/** some: at least one task waited; full: all of them did, undefined on kernels that do not tell. */
export interface Pressure {
  some: Stall | undefined;
  full: Stall | undefined;
}

/**
 * Pressure stall information of a cgroup (psi.rst). It is version 2's; on a hybrid machine the empty hierarchy beside
 * version 1's has it. Undefined where the kernel, the hierarchy or the process has none.
 */
export function readPressure(cgroups: Cgroups, paths: CgroupPaths, kind: PressureKind): Pressure | undefined {
  const cgroup = paths[""];
  const { unified } = cgroups.layout;
  // the root's pressure is the machine's
  if (!unified || cgroup === undefined || cgroup === "/" || cgroup.includes("..")) return undefined;
  const text = readCgroupFile(path.join(unified, cgroup), `${kind}.pressure`);
  return text === undefined || text === "" ? undefined : parsePressure(text);
}

export function parsePressure(text: string): Pressure {
  const stall = (name: string): Stall | undefined => {
    const found = new RegExp(`^${name} avg10=(\\S+) avg60=(\\S+) avg300=(\\S+) total=(\\d+)$`, "m").exec(text);
    if (!found) return undefined;
    const [, avg10, avg60, avg300, totalUs] = found;
    return {
      avg10: Number(avg10),
      avg60: Number(avg60),
      avg300: Number(avg300),
      totalNs: BigInt(totalUs!) * 1000n,
    };
  };
  return { some: stall("some"), full: stall("full") };
}
