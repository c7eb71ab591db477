import fs from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import { readCgroupCpu, readCpuUsageNs } from "./cgroup-cpu";
import { limitCgroupHugepages, readCgroupHugepages } from "./cgroup-hugepages";
import { readCgroupIo } from "./cgroup-io";
import { readCgroupMemory, readCgroupMemoryDetails } from "./cgroup-memory";
import { countCgroupProcesses, readCgroupTasks } from "./cgroup-pids";
import { readPressure } from "./cgroup-pressure";
import { type CgroupTree, cgroupTree } from "./cgroup-tree.fixture";

let tree: CgroupTree;
afterEach(() => tree.remove());

const unlimited = "9223372036854771712\n";
/** What the files of both versions' tests say, but for the limit of swap. */
const memory = {
  usage: 1000n,
  limit: 4000n,
  workingSet: 700n,
  rss: 400n,
  swap: 20n,
  pageFaults: 70n,
  majorPageFaults: 7n,
};

describe("version 1", () => {
  test("CPU comes in ns from cpuacct, throttling from cpu", () => {
    tree = cgroupTree("v1");
    tree.write("cpuacct", "cpuacct.usage", "20000000000000001\n");
    tree.write("cpuacct", "cpuacct.usage_user", "20000000000000000\n");
    tree.write("cpuacct", "cpuacct.usage_sys", "1\n");
    tree.write("cpu", "cpu.stat", "nr_periods 7\nnr_throttled 3\nthrottled_time 4000\nnr_bursts 2\nburst_time 50\n");
    // more than a double holds
    expect(readCgroupCpu(tree.cgroups, tree.paths)).toEqual({
      usageNs: 20000000000000001n,
      userNs: 20000000000000000n,
      systemNs: 1n,
      periods: 7n,
      throttledPeriods: 3n,
      throttledNs: 4000n,
      burstPeriods: 2n,
      burstNs: 50n,
    });
    expect(readCpuUsageNs(tree.cgroups, tree.paths)).toBe(20000000000000001n);
  });

  test("memory is that of the cgroup and those in it; the kernel's largest number is no limit", () => {
    tree = cgroupTree("hybrid");
    tree.write("memory", "memory.usage_in_bytes", "1000\n");
    tree.write("memory", "memory.limit_in_bytes", "4000\n");
    tree.write("memory", "memory.memsw.limit_in_bytes", "6000\n");
    tree.write("memory", "memory.soft_limit_in_bytes", unlimited);
    tree.write("memory", "memory.max_usage_in_bytes", "2000\n");
    tree.write("memory", "memory.kmem.usage_in_bytes", "50\n");
    tree.write("memory", "memory.failcnt", "9\n");
    tree.write("memory", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    const own = "cache 1\nrss 2\ninactive_file 3\npgfault 4\n";
    const total =
      "total_cache 500\ntotal_rss 400\ntotal_mapped_file 30\ntotal_swap 20\ntotal_pgfault 70\ntotal_pgmajfault 7\n";
    const late = "total_dirty 8\ntotal_writeback 6\ntotal_workingset_refault_anon 4\ntotal_workingset_refault_file 5\n";
    tree.write("memory", "memory.stat", `${own}${total}${late}total_inactive_file 300\ntotal_active_file 200\n`);
    const told = { ...memory, swapLimit: 2000n };
    expect(readCgroupMemory(tree.cgroups, tree.paths)).toEqual(told);
    expect(readCgroupMemoryDetails(tree.cgroups, tree.paths)).toEqual({
      ...told,
      maxUsage: 2000n,
      reservation: undefined,
      cache: 500n,
      mappedFile: 30n,
      activeFile: 200n,
      inactiveFile: 300n,
      kernel: 50n,
      limitHits: 9n,
      oomKills: 2n,
      dirty: 8n,
      writeback: 6n,
      highEvents: undefined,
      maxEvents: undefined,
      scannedPages: undefined,
      reclaimedPages: undefined,
      refaultedAnonPages: 4n,
      refaultedFilePages: 5n,
    });
    tree.write("memory", "memory.limit_in_bytes", unlimited);
    expect(readCgroupMemory(tree.cgroups, tree.paths)).toMatchObject({ limit: undefined, swapLimit: undefined });
  });

  test("I/O is by device, with what is not read or write left out", () => {
    tree = cgroupTree("v1");
    const bytes = "8:0 Read 100\n8:0 Write 200\n8:0 Sync 300\n8:0 Total 300\n253:1 Read 5\n253:1 Write 0\nTotal 305\n";
    tree.write("blkio", "blkio.throttle.io_service_bytes_recursive", bytes);
    tree.write("blkio", "blkio.throttle.io_serviced_recursive", "8:0 Read 1\n8:0 Write 2\nTotal 3\n");
    expect(readCgroupIo(tree.cgroups, tree.paths)).toEqual([
      { major: 8, minor: 0, readBytes: 100n, writtenBytes: 200n, reads: 1n, writes: 2n },
      { major: 253, minor: 1, readBytes: 5n, writtenBytes: 0n, reads: 0n, writes: 0n },
    ]);
  });

  test("tasks are counted below too, and huge pages by size", () => {
    tree = cgroupTree("v1");
    tree.write("pids", "cgroup.procs", "10\n11\n");
    tree.write("pids", "inner/cgroup.procs", "12\n");
    tree.write("pids", "pids.current", "5\n");
    tree.write("pids", "pids.max", "max\n");
    tree.write("hugetlb", "hugetlb.2MB.usage_in_bytes", "4194304\n");
    tree.write("hugetlb", "hugetlb.2MB.rsvd.usage_in_bytes", "0\n");
    tree.write("hugetlb", "hugetlb.2MB.failcnt", "6\n");
    tree.write("hugetlb", "hugetlb.2MB.max_usage_in_bytes", "8388608\n");
    expect(readCgroupTasks(tree.cgroups, tree.paths)).toEqual({
      pids: [10, 11, 12],
      threads: 5n,
      threadsMax: undefined,
    });
    expect(countCgroupProcesses(tree.cgroups, tree.paths)).toBe(3);
    expect(readCgroupHugepages(tree.cgroups, tree.paths)).toEqual([
      { pageSize: "2MB", usage: 4194304n, maxUsage: 8388608n, limitHits: 6n },
    ]);
  });
});

describe("version 2", () => {
  test("CPU comes in µs and becomes ns", () => {
    tree = cgroupTree("v2");
    const stat = "usage_usec 3000\nuser_usec 2000\nsystem_usec 1000\nnr_periods 7\nnr_throttled 3\nthrottled_usec 4\n";
    const bursts = "nr_bursts 2\nburst_usec 5\n";
    tree.write("", "cpu.stat", stat + bursts);
    expect(readCgroupCpu(tree.cgroups, tree.paths)).toEqual({
      usageNs: 3_000_000n,
      userNs: 2_000_000n,
      systemNs: 1_000_000n,
      periods: 7n,
      throttledPeriods: 3n,
      throttledNs: 4000n,
      burstPeriods: 2n,
      burstNs: 5000n,
    });
    expect(readCpuUsageNs(tree.cgroups, tree.paths)).toBe(3_000_000n);
  });

  test("memory", () => {
    tree = cgroupTree("v2");
    tree.write("", "memory.current", "1000\n");
    tree.write("", "memory.max", "4000\n");
    tree.write("", "memory.low", "0\n");
    tree.write("", "memory.peak", "2000\n");
    tree.write("", "memory.swap.current", "20\n");
    tree.write("", "memory.swap.max", "max\n");
    tree.write("", "memory.events", "low 0\nhigh 1\nmax 9\noom 3\noom_kill 2\n");
    const stat = "anon 400\nfile 500\nkernel 50\nfile_mapped 30\ninactive_file 300\nactive_file 200\n";
    const late = "file_dirty 8\nfile_writeback 6\npgscan 40\npgsteal 30\n";
    const refaults = "workingset_refault_anon 4\nworkingset_refault_file 5\n";
    tree.write("", "memory.stat", `${stat}${late}${refaults}pgfault 70\npgmajfault 7\n`);
    const told = { ...memory, swapLimit: undefined };
    expect(readCgroupMemory(tree.cgroups, tree.paths)).toEqual(told);
    expect(readCgroupMemoryDetails(tree.cgroups, tree.paths)).toEqual({
      ...told,
      maxUsage: 2000n,
      reservation: undefined,
      cache: 500n,
      mappedFile: 30n,
      activeFile: 200n,
      inactiveFile: 300n,
      kernel: 50n,
      limitHits: 9n,
      oomKills: 2n,
      dirty: 8n,
      writeback: 6n,
      highEvents: 1n,
      maxEvents: 9n,
      scannedPages: 40n,
      reclaimedPages: 30n,
      refaultedAnonPages: 4n,
      refaultedFilePages: 5n,
    });
  });

  test("I/O, tasks and huge pages", () => {
    tree = cgroupTree("v2");
    tree.write("", "io.stat", "8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=0 dios=0\n7:0 \n");
    tree.write("", "cgroup.procs", "10\n");
    tree.write("", "pids.current", "3\n");
    tree.write("", "pids.max", "100\n");
    tree.write("", "hugetlb.1GB.current", "0\n");
    tree.write("", "hugetlb.1GB.events", "max 3\n");
    expect(readCgroupIo(tree.cgroups, tree.paths)).toEqual([
      { major: 8, minor: 0, readBytes: 100n, writtenBytes: 200n, reads: 1n, writes: 2n },
      { major: 7, minor: 0, readBytes: 0n, writtenBytes: 0n, reads: 0n, writes: 0n },
    ]);
    expect(readCgroupTasks(tree.cgroups, tree.paths)).toEqual({ pids: [10], threads: 3n, threadsMax: 100n });
    expect(readCgroupHugepages(tree.cgroups, tree.paths)).toEqual([
      { pageSize: "1GB", usage: 0n, maxUsage: undefined, limitHits: 3n },
    ]);
  });
});

test.each(["v1", "v2"] as const)("huge pages of %s are limited by size, those reserved with them", (version) => {
  tree = cgroupTree(version);
  const [limit, reserved] = version === "v1" ? ["limit_in_bytes", "rsvd.limit_in_bytes"] : ["max", "rsvd.max"];
  for (const file of [limit, reserved]) tree.write("hugetlb", `hugetlb.2MB.${file}`, "0");
  limitCgroupHugepages(tree.cgroups, tree.paths, { pageSize: "2MB", limit: 4n << 20n });
  const directory = tree.cgroups.ofPaths(version === "v1" ? "hugetlb" : "", tree.paths)!;
  for (const file of [limit, reserved]) {
    expect(fs.readFileSync(path.join(directory, `hugetlb.2MB.${file}`), "utf8")).toBe("4194304");
  }
  const other = () => limitCgroupHugepages(tree.cgroups, tree.paths, { pageSize: "1GB", limit: 0 });
  expect(other).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
});

describe("pressure", () => {
  const text = "some avg10=1.25 avg60=0.50 avg300=0.10 total=123456\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=78\n";

  test.each(["v2", "hybrid"] as const)("comes from the version 2 hierarchy of %s, in ns", (version) => {
    tree = cgroupTree(version);
    tree.write("", "memory.pressure", text);
    expect(readPressure(tree.cgroups, tree.paths, "memory")).toEqual({
      some: { avg10: 1.25, avg60: 0.5, avg300: 0.1, totalNs: 123456000n },
      full: { avg10: 0, avg60: 0, avg300: 0, totalNs: 78000n },
    });
    expect(readPressure(tree.cgroups, tree.paths, "io")).toBeUndefined();
  });

  test("is not the machine's for a process outside of all version 2 cgroups, and old kernels have no full for CPU", () => {
    tree = cgroupTree("hybrid");
    tree.write("", "cpu.pressure", text.split("\n")[0]!);
    expect(readPressure(tree.cgroups, { ...tree.paths, "": "/" }, "cpu")).toBeUndefined();
    expect(readPressure(tree.cgroups, tree.paths, "cpu")).toMatchObject({ full: undefined, some: { avg10: 1.25 } });
  });
});

test.each(["v1", "hybrid", "v2"] as const)("a cgroup of %s that is gone has nothing to tell", (version) => {
  tree = cgroupTree(version);
  expect(readCgroupCpu(tree.cgroups, tree.paths)).toBeUndefined();
  expect(readCpuUsageNs(tree.cgroups, tree.paths)).toBeUndefined();
  expect(readCgroupMemory(tree.cgroups, tree.paths)).toBeUndefined();
  expect(readCgroupMemoryDetails(tree.cgroups, tree.paths)).toBeUndefined();
  expect(readCgroupTasks(tree.cgroups, tree.paths)).toBeUndefined();
  expect(countCgroupProcesses(tree.cgroups, tree.paths)).toBe(0);
  expect(readCgroupIo(tree.cgroups, tree.paths)).toEqual([]);
  expect(readCgroupHugepages(tree.cgroups, tree.paths)).toEqual([]);
});
