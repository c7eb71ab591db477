import type { CgroupCpu } from "../../sys/cgroup-cpu";
import type { LoadAverage } from "../stats/load-averages";
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
  counter("container_cpu_cfs_burst_periods_total", "Number of periods when burst occurs.", (cpu) => cpu.burstPeriods),
  counter(
    "container_cpu_cfs_burst_seconds_total",
    "Total time duration the container has been bursted.",
    ({ burstNs }) => wholeSeconds(burstNs),
  ),
];

const load = (
  name: string,
  help: string,
  pick: (load: LoadAverage) => bigint,
): MetricFamily<{ load: LoadAverage }> => ({
  name,
  help,
  type: "gauge",
  read: (reading) => [{ value: pick(reading.load) }],
});

/** In thousandths, of what is counted at each scrape. */
export const loadFamilies = [
  load(
    "container_cpu_load_average_10s",
    "Value of container cpu load average over the last 10 seconds.",
    (each) => each.load,
  ),
  load(
    "container_cpu_load_d_average_10s",
    "Value of container cpu load.d average over the last 10 seconds.",
    ({ loadD }) => loadD,
  ),
];
