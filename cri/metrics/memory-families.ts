import type { CgroupHugepages } from "../../sys/cgroup-hugepages";
import type { CgroupMemoryDetails } from "../../sys/cgroup-memory";
import { ifKnown, type MetricFamily, type Sample } from "./family";

interface Reading {
  memory: CgroupMemoryDetails | undefined;
  hugepages: CgroupHugepages[];
}
type Family = MetricFamily<Reading>;

const of = (
  type: Family["type"],
  name: string,
  [help, pick]: [help: string, pick: (memory: CgroupMemoryDetails) => bigint | undefined],
): Family => ({ name, help, type, read: ({ memory }) => ifKnown(memory && pick(memory)) });

const onlyV2 = (name: string, told: Parameters<typeof of>[2]): Family => ({ ...of("counter", name, told), only: "v2" });

/** The counts are of the cgroup with those in it, so both of cAdvisor's scopes have the same. */
const faults = (type: string, value: bigint): Sample[] =>
  ["container", "hierarchy"].map((scope) => ({ value, labels: [type, scope] }));

export const memoryFamilies: Family[] = [
  of("gauge", "container_memory_usage_bytes", [
    "Current memory usage in bytes, including all memory regardless of when it was accessed.",
    ({ usage }) => usage,
  ]),
  of("gauge", "container_memory_max_usage_bytes", [
    "Maximum memory usage recorded in bytes.",
    (memory) => memory.maxUsage,
  ]),
  of("gauge", "container_memory_working_set_bytes", ["Current working set in bytes.", (memory) => memory.workingSet]),
  of("gauge", "container_memory_rss", ["Size of RSS in bytes.", ({ rss }) => rss]),
  of("gauge", "container_memory_cache", ["Number of bytes of page cache memory.", ({ cache }) => cache]),
  of("gauge", "container_memory_mapped_file", ["Size of memory mapped files in bytes.", (memory) => memory.mappedFile]),
  of("gauge", "container_memory_total_active_file_bytes", [
    "Current total active file in bytes.",
    ({ activeFile }) => activeFile,
  ]),
  of("gauge", "container_memory_total_inactive_file_bytes", [
    "Current total inactive file in bytes.",
    ({ inactiveFile }) => inactiveFile,
  ]),
  of("gauge", "container_memory_kernel_usage", ["Size of kernel memory allocated in bytes.", ({ kernel }) => kernel]),
  of("gauge", "container_memory_swap", ["Container swap usage in bytes.", ({ swap }) => swap]),
  of("counter", "container_memory_failcnt", ["Number of memory usage hits limits.", ({ limitHits }) => limitHits]),
  {
    name: "container_memory_failures_total",
    help: "Cumulative count of memory allocation failures.",
    type: "counter",
    labels: ["failure_type", "scope"],
    read: ({ memory }) =>
      memory ? [...faults("pgfault", memory.pageFaults), ...faults("pgmajfault", memory.majorPageFaults)] : [],
  },
  of("counter", "container_oom_events_total", [
    "Count of out of memory events observed for the container.",
    ({ oomKills }) => oomKills,
  ]),
  of("gauge", "container_memory_file_dirty_bytes", [
    "Number of bytes of file cache that has been modified but not yet written back to disk.",
    ({ dirty }) => dirty,
  ]),
  of("gauge", "container_memory_file_writeback_bytes", [
    "Number of bytes of file cache that is currently being written back to disk.",
    ({ writeback }) => writeback,
  ]),
  onlyV2("container_memory_events_high_total", [
    "Cumulative count of memory.high throttle events for the container.",
    ({ highEvents }) => highEvents,
  ]),
  onlyV2("container_memory_events_max_total", [
    "Cumulative count of memory.max limit hit events for the container.",
    ({ maxEvents }) => maxEvents,
  ]),
  onlyV2("container_memory_pgscan_total", [
    "Cumulative number of pages scanned by the page reclaim algorithm.",
    ({ scannedPages }) => scannedPages,
  ]),
  onlyV2("container_memory_pgsteal_total", [
    "Cumulative number of pages reclaimed by the page reclaim algorithm.",
    ({ reclaimedPages }) => reclaimedPages,
  ]),
  of("counter", "container_memory_workingset_refault_anon_total", [
    "Cumulative number of refaults of previously evicted anonymous pages.",
    ({ refaultedAnonPages }) => refaultedAnonPages,
  ]),
  of("counter", "container_memory_workingset_refault_file_total", [
    "Cumulative number of refaults of previously evicted file pages.",
    ({ refaultedFilePages }) => refaultedFilePages,
  ]),
  {
    name: "container_hugetlb_usage_bytes",
    help: "Current hugepage usage in bytes.",
    type: "gauge",
    labels: ["pagesize"],
    read: ({ hugepages }) => hugepages.map(({ pageSize, usage }) => ({ value: usage, labels: [pageSize] })),
  },
  {
    name: "container_hugetlb_max_usage_bytes",
    help: "Maximum hugepage usages recorded in bytes.",
    type: "gauge",
    labels: ["pagesize"],
    read: ({ hugepages }) =>
      hugepages.flatMap(({ pageSize, maxUsage }) =>
        ifKnown(maxUsage).map((sample) => ({ ...sample, labels: [pageSize] })),
      ),
  },
  {
    name: "container_hugetlb_failcnt",
    help: "Number of hugepage usage hits limits.",
    type: "counter",
    labels: ["pagesize"],
    read: ({ hugepages }) => hugepages.map(({ pageSize, limitHits }) => ({ value: limitHits, labels: [pageSize] })),
  },
];
