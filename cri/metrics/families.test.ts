import { expect, test } from "@jest/globals";
import { codec } from "../../api/messages";
import { cgroupFamilies, containerFamilies, metricDescriptors } from "./families";
import { metricsOf } from "./family";
import { networkFamilies } from "./network-families";
import type { ContainerReading } from "./readings";

const stall = { avg10: 0, avg60: 0, avg300: 0, totalNs: 3_900_000_000n };
const reading: ContainerReading = {
  cpu: {
    usageNs: 12_999_999_999n,
    userNs: 5_000_000_000n,
    systemNs: 1_000_000_000n,
    periods: 9n,
    throttledPeriods: 4n,
    throttledNs: 2_000_000_000n,
    burstPeriods: 1n,
    burstNs: 1_000_000_000n,
  },
  memory: {
    usage: 1000n,
    maxUsage: 2000n,
    limit: 4000n,
    reservation: 300n,
    workingSet: 700n,
    rss: 400n,
    cache: 500n,
    mappedFile: 30n,
    activeFile: 200n,
    inactiveFile: 300n,
    kernel: 50n,
    swap: 20n,
    swapLimit: undefined,
    pageFaults: 70n,
    majorPageFaults: 7n,
    limitHits: 9n,
    oomKills: 2n,
    dirty: 8n,
    writeback: 6n,
    highEvents: 5n,
    maxEvents: 9n,
    scannedPages: 40n,
    reclaimedPages: 30n,
    refaultedAnonPages: 2n,
    refaultedFilePages: 3n,
  },
  hugepages: [{ pageSize: "2MB", usage: 0n, maxUsage: 5n, limitHits: 1n }],
  pressure: {
    cpu: { some: stall, full: stall },
    memory: { some: stall, full: stall },
    io: { some: stall, full: stall },
  },
  io: [{ device: "/dev/sda", major: 8, minor: 0, readBytes: 1n, writtenBytes: 2n, reads: 3n, writes: 4n }],
  filesystem: { device: "/dev/sda", limitBytes: 10n, inodesTotal: 11n, inodesFree: 12n, usageBytes: 13n },
  tasks: { pids: [1, 2], threads: 5n, threadsMax: undefined },
  states: { sleeping: 4, running: 1, stopped: 0, uninterruptible: 2 },
  load: { load: 1500n, loadD: 20n },
  open: { descriptors: 6, sockets: 1 },
  openFilesLimit: 1024n,
  resources: codec("LinuxContainerResources").decode(
    codec("LinuxContainerResources").encode({ cpuQuota: 50_000n, cpuShares: 512n, memoryLimitInBytes: 4000n }),
  ),
  createdAtNs: 1_699_999_999_000_000_000n,
  startedAtNs: 1_700_000_000_000_000_000n,
  nowNs: 1_700_000_100_000_000_000n,
};
const subject = { id: "/c", name: "c", image: "busybox", pod: "p", namespace: "n", container: "main" };
const interfaces = [
  {
    name: "eth0",
    rxBytes: 1n,
    rxPackets: 2n,
    rxErrors: 3n,
    rxDropped: 4n,
    txBytes: 5n,
    txPackets: 6n,
    txErrors: 7n,
    txDropped: 8n,
  },
];

const metrics = [
  ...metricsOf(containerFamilies, { subject, reading, timestamp: 9n }),
  ...metricsOf(networkFamilies, { subject, reading: { interfaces }, timestamp: 9n }),
];
const values = (name: string) => metrics.filter((each) => each.name === name).map(({ value }) => value!.value);

test("descriptors have a help, labels and a name of their own, and every one has a metric", () => {
  const descriptors = metricDescriptors("v2");
  const names = descriptors.map(({ name }) => name!);
  expect(new Set(names).size).toBe(names.length);
  for (const { help, labelKeys } of descriptors) {
    expect(help).not.toBe("");
    expect(labelKeys!.length).toBeGreaterThan(0);
    expect(new Set(labelKeys).size).toBe(labelKeys!.length);
  }
  expect([...new Set(metrics.map(({ name }) => name!))].sort()).toEqual([...names].sort());
});

test("every metric has as many label values as its descriptor has keys", () => {
  const keys = new Map(metricDescriptors("v2").map(({ name, labelKeys }) => [name, labelKeys!.length]));
  for (const { name, labelValues } of metrics) expect([name, labelValues!.length]).toEqual([name, keys.get(name)]);
});

test("what containerd, CRI-O or the kubelet's cAdvisor tell is told", () => {
  const names = metricDescriptors("v2").map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining([...peers, ...cadvisor]));
});

test("what only cgroup version 2 counts has no descriptor without it", () => {
  const names = (version: "v1" | "hybrid" | "v2") => metricDescriptors(version).map(({ name }) => name);
  const counted = names("v1");
  expect(names("hybrid")).toEqual(counted);
  expect(names("v2").filter((name) => !counted.includes(name))).toEqual([
    "container_memory_events_high_total",
    "container_memory_events_max_total",
    "container_memory_pgscan_total",
    "container_memory_pgsteal_total",
  ]);
});

test("times are whole seconds, rounded down; counts are the reading's", () => {
  expect(values("container_cpu_usage_seconds_total")).toEqual([12n]);
  expect(values("container_pressure_io_waiting_seconds_total")).toEqual([3n]);
  expect(values("container_memory_working_set_bytes")).toEqual([700n]);
  expect(values("container_memory_failures_total")).toEqual([70n, 70n, 7n, 7n]);
  expect(values("container_blkio_device_usage_total")).toEqual([1n, 2n]);
  expect(values("container_network_transmit_packets_dropped_total")).toEqual([8n]);
  expect(values("container_threads_max")).toEqual([0n]);
  expect(values("container_spec_cpu_period")).toEqual([100_000n]);
  expect(values("container_spec_memory_swap_limit_bytes")).toEqual([0n]);
  expect(values("container_tasks_state")).toEqual([4n, 1n, 0n, 2n]);
  expect(values("container_cpu_load_average_10s")).toEqual([1500n]);
  expect(values("container_start_time_seconds")).toEqual([1_700_000_000n]);
});

test("what the kernel does not tell makes no metric", () => {
  const nothing = {
    cpu: undefined,
    memory: undefined,
    hugepages: [],
    pressure: { cpu: undefined, memory: { some: stall, full: undefined }, io: undefined },
  };
  const names = metricsOf(cgroupFamilies, { subject, reading: nothing, timestamp: 9n }).map(({ name }) => name);
  expect(names).toEqual(["container_pressure_memory_waiting_seconds_total"]);
});

/** The names in containerd's list_metric_descriptors.go and CRI-O's statsserver/descriptors.go together. */
const peers = `blkio_device_usage_total cpu_cfs_periods_total cpu_cfs_throttled_periods_total
cpu_cfs_throttled_seconds_total cpu_system_seconds_total cpu_usage_seconds_total cpu_user_seconds_total
file_descriptors fs_inodes_free fs_inodes_total fs_limit_bytes fs_reads_bytes_total fs_reads_total fs_usage_bytes
fs_writes_bytes_total fs_writes_total hugetlb_max_usage_bytes hugetlb_usage_bytes last_seen memory_cache
memory_failcnt memory_failures_total memory_kernel_usage memory_mapped_file memory_max_usage_bytes memory_rss
memory_swap memory_total_active_file_bytes memory_total_inactive_file_bytes memory_usage_bytes
memory_working_set_bytes network_receive_bytes_total network_receive_errors_total
network_receive_packets_dropped_total network_receive_packets_total network_transmit_bytes_total
network_transmit_errors_total network_transmit_packets_dropped_total network_transmit_packets_total
oom_events_total pressure_cpu_stalled_seconds_total pressure_cpu_waiting_seconds_total
pressure_io_stalled_seconds_total pressure_io_waiting_seconds_total pressure_memory_stalled_seconds_total
pressure_memory_waiting_seconds_total processes sockets spec_cpu_period spec_cpu_quota spec_cpu_shares
spec_memory_limit_bytes spec_memory_reservation_limit_bytes spec_memory_swap_limit_bytes start_time_seconds threads
threads_max ulimits_soft`
  .split(/\s+/)
  .map((name) => `container_${name}`);

/** What cAdvisor's metrics/prometheus.go has beyond them for the kinds of metrics that the kubelet chooses. */
const cadvisor = `cpu_cfs_burst_periods_total cpu_cfs_burst_seconds_total cpu_load_average_10s cpu_load_d_average_10s
creation_time_seconds hugetlb_failcnt memory_events_high_total memory_events_max_total memory_file_dirty_bytes
memory_file_writeback_bytes memory_pgscan_total memory_pgsteal_total memory_workingset_refault_anon_total
memory_workingset_refault_file_total tasks_state`
  .split(/\s+/)
  .map((name) => `container_${name}`);
