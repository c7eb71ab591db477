import fs from "node:fs";
import path from "node:path";
import { readCgroupFile, readCount, readLimit } from "./cgroup-files";
import type { CgroupPaths, Cgroups } from "./cgroups";

export interface CgroupTasks {
  /** Processes in the cgroup and those in it. */
  pids: number[];
  /** Tasks as the pids controller counts them, each thread one; undefined without that controller. */
  threads: bigint | undefined;
  /** Undefined where there is none. */
  threadsMax: bigint | undefined;
}

const directoryOf = (cgroups: Cgroups, paths: CgroupPaths) =>
  cgroups.ofPaths(cgroups.version === "v2" ? "" : "pids", paths);

/** Who is in a cgroup (pids.rst). Undefined where it is gone. */
export function readCgroupTasks(cgroups: Cgroups, paths: CgroupPaths): CgroupTasks | undefined {
  const directory = directoryOf(cgroups, paths);
  const pids = directory === undefined ? undefined : pidsBelow(directory);
  if (!pids) return undefined;
  return { pids, threads: readCount(directory, "pids.current"), threadsMax: readLimit(directory, "pids.max") };
}

/** How many processes are in a cgroup and those in it; 0 where it is gone. */
export function countCgroupProcesses(cgroups: Cgroups, paths: CgroupPaths): number {
  const directory = directoryOf(cgroups, paths);
  return (directory === undefined ? undefined : pidsBelow(directory))?.length ?? 0;
}

function pidsBelow(directory: string): number[] | undefined {
  const text = readCgroupFile(directory, "cgroup.procs");
  if (text === undefined) return undefined;
  const pids = text.split("\n").filter(Boolean).map(Number);
  try {
    // the kernel counts the directories of a cgroup in its links, and most have none
    if (fs.statSync(directory).nlink === 2) return pids;
    for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
      if (entry.isDirectory()) pids.push(...(pidsBelow(path.join(directory, entry.name)) ?? []));
    }
  } catch {
    // removed while we looked
  }
  return pids;
}
