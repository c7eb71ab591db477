import type { LinuxContainerResources } from "../../api/messages";
import type { CgroupMemoryDetails } from "../../sys/cgroup-memory";
import { ifKnown, type MetricFamily, wholeSeconds } from "./family";

interface Reading {
  /** The limits in force. */
  resources: LinuxContainerResources;
  memory: CgroupMemoryDetails | undefined;
  createdAtNs: bigint;
  startedAtNs: bigint;
  nowNs: bigint;
}
type Family = MetricFamily<Reading>;

/** The kernel's, where the container asks for none. */
const defaultPeriodUs = 100_000n;

const gauge = (name: string, help: string, pick: (reading: Reading) => bigint | undefined): Family => ({
  name,
  help,
  type: "gauge",
  read: (reading) => ifKnown(pick(reading)),
});

/** 0 is no limit, as cAdvisor has it; some clients ask for -1. */
const limit = (value: bigint) => (value > 0n ? value : 0n);

export const specFamilies: Family[] = [
  gauge("container_spec_cpu_period", "CPU period of the container.", ({ resources }) =>
    resources.cpuPeriod > 0n ? resources.cpuPeriod : defaultPeriodUs,
  ),
  // a quota of 0 would read as no CPU at all
  gauge("container_spec_cpu_quota", "CPU quota of the container.", ({ resources }) =>
    resources.cpuQuota > 0n ? resources.cpuQuota : undefined,
  ),
  gauge("container_spec_cpu_shares", "CPU share of the container.", ({ resources }) => limit(resources.cpuShares)),
  gauge("container_spec_memory_limit_bytes", "Memory limit for the container.", ({ resources }) =>
    limit(resources.memoryLimitInBytes),
  ),
  gauge(
    "container_spec_memory_reservation_limit_bytes",
    "Memory reservation limit for the container.",
    ({ memory }) => memory?.reservation ?? 0n,
  ),
  gauge("container_spec_memory_swap_limit_bytes", "Memory swap limit for the container.", ({ resources }) =>
    limit(resources.memorySwapLimitInBytes),
  ),
  gauge("container_creation_time_seconds", "Container creation time since unix epoch in seconds.", ({ createdAtNs }) =>
    wholeSeconds(createdAtNs),
  ),
  gauge("container_start_time_seconds", "Start time of the container since unix epoch in seconds.", ({ startedAtNs }) =>
    wholeSeconds(startedAtNs),
  ),
  gauge("container_last_seen", "Last time a container was seen by the exporter.", ({ nowNs }) => wholeSeconds(nowNs)),
];
