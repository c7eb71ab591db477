import { readCount, readKeyedCounts } from "./cgroup-files";
import type { CgroupPaths, Cgroups } from "./cgroups";

export interface CgroupCpu {
  usageNs: bigint;
  userNs: bigint;
  systemNs: bigint;
  /** Periods in which a quota was in force, and those in which it was used up; of cfs bandwidth control. */
  periods: bigint;
  throttledPeriods: bigint;
  throttledNs: bigint;
  /** Periods in which more than the quota was used of what earlier ones had left (sched-bwc.rst), and how much. */
  burstPeriods: bigint;
  burstNs: bigint;
}

/** What a cgroup and those in it have computed (cpuacct.rst; cgroup-v2.rst, cpu.stat). Undefined where it is gone. */
export function readCgroupCpu(cgroups: Cgroups, paths: CgroupPaths): CgroupCpu | undefined {
  return cgroups.version === "v2" ? readV2(cgroups.ofPaths("", paths)) : readV1(cgroups, paths);
}

/** The sum alone, by a single read: for samples and stats. ns. */
export function readCpuUsageNs(cgroups: Cgroups, paths: CgroupPaths): bigint | undefined {
  if (cgroups.version !== "v2") return readCount(cgroups.ofPaths("cpuacct", paths), "cpuacct.usage");
  const usageUs = readKeyedCounts(cgroups.ofPaths("", paths), "cpu.stat").get("usage_usec");
  return usageUs === undefined ? undefined : usageUs * 1000n;
}

function readV1(cgroups: Cgroups, paths: CgroupPaths): CgroupCpu | undefined {
  const directory = cgroups.ofPaths("cpuacct", paths);
  const usageNs = readCount(directory, "cpuacct.usage");
  if (usageNs === undefined) return undefined;
  const bandwidth = readKeyedCounts(cgroups.ofPaths("cpu", paths), "cpu.stat");
  return {
    usageNs,
    userNs: readCount(directory, "cpuacct.usage_user") ?? 0n,
    systemNs: readCount(directory, "cpuacct.usage_sys") ?? 0n,
    periods: bandwidth.get("nr_periods") ?? 0n,
    throttledPeriods: bandwidth.get("nr_throttled") ?? 0n,
    throttledNs: bandwidth.get("throttled_time") ?? 0n,
    burstPeriods: bandwidth.get("nr_bursts") ?? 0n,
    burstNs: bandwidth.get("burst_time") ?? 0n,
  };
}

function readV2(directory: string | undefined): CgroupCpu | undefined {
  const stat = readKeyedCounts(directory, "cpu.stat");
  const ns = (key: string) => (stat.get(key) ?? 0n) * 1000n;
  if (stat.get("usage_usec") === undefined) return undefined;
  return {
    usageNs: ns("usage_usec"),
    userNs: ns("user_usec"),
    systemNs: ns("system_usec"),
    periods: stat.get("nr_periods") ?? 0n,
    throttledPeriods: stat.get("nr_throttled") ?? 0n,
    throttledNs: ns("throttled_usec"),
    burstPeriods: stat.get("nr_bursts") ?? 0n,
    burstNs: ns("burst_usec"),
  };
}
