import type { CgroupCpu } from "../../sys/cgroup-cpu";
import { ifKnown, type MetricFamily, wholeSeconds } from "./family";

type Family = MetricFamily<{ cpu: CgroupCpu | undefined }>;

const counter = (name: string, help: string, pick: (cpu: CgroupCpu) => bigint): Family => ({
  name,
  help,
  type: "counter",
  read: ({ cpu }) => ifKnown(cpu && pick(cpu)),
});

export const cpuFamilies: Family[] = [
  {
    name: "container_cpu_usage_seconds_total",
    help: "Cumulative CPU time consumed in seconds.",
    type: "counter",
    // one series for all CPUs together, as the kubelet has it
    labels: ["cpu"],
    read: ({ cpu }) => (cpu ? [{ value: wholeSeconds(cpu.usageNs), labels: ["total"] }] : []),
  },
  counter("container_cpu_user_seconds_total", "Cumulative user CPU time consumed in seconds.", ({ userNs }) =>
    wholeSeconds(userNs),
  ),
  counter("container_cpu_system_seconds_total", "Cumulative system CPU time consumed in seconds.", ({ systemNs }) =>
    wholeSeconds(systemNs),
  ),
  counter(
    "container_cpu_cfs_periods_total",
    "Number of elapsed enforcement period intervals.",
    ({ periods }) => periods,
  ),
  counter(
    "container_cpu_cfs_throttled_periods_total",
    "Number of throttled period intervals.",
    ({ throttledPeriods }) => throttledPeriods,
  ),
  counter(
    "container_cpu_cfs_throttled_seconds_total",
    "Total time duration the container has been throttled.",
    ({ throttledNs }) => wholeSeconds(throttledNs),
  ),
];
