import { readCount, readKeyedCounts, readLimit } from "./cgroup-files";
import type { CgroupPaths, Cgroups } from "./cgroups";

/** Bytes, but for the counts at the end. */
export interface CgroupMemory {
  usage: bigint;
  /** The highest that usage has been; undefined on kernels that do not keep it. */
  maxUsage: bigint | undefined;
  /** Undefined where there is none. */
  limit: bigint | undefined;
  /** What is left to it when others are short of memory; undefined where nothing is promised. */
  reservation: bigint | undefined;
  /** What can't be dropped at once: usage less the page cache that nobody has used lately. */
  workingSet: bigint;
  /** Anonymous memory. */
  rss: bigint;
  cache: bigint;
  mappedFile: bigint;
  activeFile: bigint;
  inactiveFile: bigint;
  kernel: bigint;
  swap: bigint;
  /** Of swap alone; undefined where there is none or the kernel keeps none. */
  swapLimit: bigint | undefined;
  pageFaults: bigint;
  majorPageFaults: bigint;
  /** How often the limit was run into. */
  limitHits: bigint;
  oomKills: bigint;
  /** Page cache that is not on the disk yet, and that which is on its way. */
  dirty: bigint;
  writeback: bigint;
  /** What follows is undefined on kernels that do not count it. How often it was slowed down above memory.high. */
  highEvents: bigint | undefined;
  /** How often it would have gone over memory.max. */
  maxEvents: bigint | undefined;
  /** Pages looked at, and won, when memory was short. */
  scannedPages: bigint | undefined;
  reclaimedPages: bigint | undefined;
  /** Pages that were wanted again soon after they had been given up. */
  refaultedAnonPages: bigint | undefined;
  refaultedFilePages: bigint | undefined;
}

/** What a cgroup and those in it hold (memory.rst; cgroup-v2.rst, memory). Undefined where it is gone. */
export function readCgroupMemory(cgroups: Cgroups, paths: CgroupPaths): CgroupMemory | undefined {
  return cgroups.version === "v2" ? readV2(cgroups.ofPaths("", paths)) : readV1(cgroups.ofPaths("memory", paths));
}

const less = (whole: bigint, part: bigint) => (whole > part ? whole - part : 0n);

function readV1(directory: string | undefined): CgroupMemory | undefined {
  const usage = readCount(directory, "memory.usage_in_bytes");
  if (usage === undefined) return undefined;
  const stat = readKeyedCounts(directory, "memory.stat");
  const total = (key: string) => stat.get(`total_${key}`) ?? 0n;
  const limit = readLimit(directory, "memory.limit_in_bytes");
  const limitWithSwap = readLimit(directory, "memory.memsw.limit_in_bytes");
  return {
    usage,
    maxUsage: readCount(directory, "memory.max_usage_in_bytes"),
    limit,
    reservation: readLimit(directory, "memory.soft_limit_in_bytes"),
    workingSet: less(usage, total("inactive_file")),
    rss: total("rss"),
    cache: total("cache"),
    mappedFile: total("mapped_file"),
    activeFile: total("active_file"),
    inactiveFile: total("inactive_file"),
    kernel: readCount(directory, "memory.kmem.usage_in_bytes") ?? 0n,
    swap: total("swap"),
    swapLimit: limitWithSwap === undefined || limit === undefined ? undefined : less(limitWithSwap, limit),
    pageFaults: total("pgfault"),
    majorPageFaults: total("pgmajfault"),
    limitHits: readCount(directory, "memory.failcnt") ?? 0n,
    oomKills: readKeyedCounts(directory, "memory.oom_control").get("oom_kill") ?? 0n,
    dirty: total("dirty"),
    writeback: total("writeback"),
    highEvents: undefined,
    maxEvents: undefined,
    scannedPages: undefined,
    reclaimedPages: undefined,
    refaultedAnonPages: stat.get("total_workingset_refault_anon"),
    refaultedFilePages: stat.get("total_workingset_refault_file"),
  };
}

function readV2(directory: string | undefined): CgroupMemory | undefined {
  const usage = readCount(directory, "memory.current");
  if (usage === undefined) return undefined;
  const stat = readKeyedCounts(directory, "memory.stat");
  const of = (key: string) => stat.get(key) ?? 0n;
  const events = readKeyedCounts(directory, "memory.events");
  return {
    usage,
    maxUsage: readCount(directory, "memory.peak"),
    limit: readLimit(directory, "memory.max"),
    reservation: readLimit(directory, "memory.low") || undefined,
    workingSet: less(usage, of("inactive_file")),
    rss: of("anon"),
    cache: of("file"),
    mappedFile: of("file_mapped"),
    activeFile: of("active_file"),
    inactiveFile: of("inactive_file"),
    // one sum since Linux 5.18; before it, its largest parts
    kernel: stat.get("kernel") ?? of("kernel_stack") + of("slab") + of("percpu") + of("sock"),
    swap: readCount(directory, "memory.swap.current") ?? 0n,
    swapLimit: readLimit(directory, "memory.swap.max"),
    pageFaults: of("pgfault"),
    majorPageFaults: of("pgmajfault"),
    limitHits: events.get("max") ?? 0n,
    oomKills: events.get("oom_kill") ?? 0n,
    dirty: of("file_dirty"),
    writeback: of("file_writeback"),
    highEvents: events.get("high"),
    maxEvents: events.get("max"),
    scannedPages: stat.get("pgscan"),
    reclaimedPages: stat.get("pgsteal"),
    refaultedAnonPages: stat.get("workingset_refault_anon"),
    refaultedFilePages: stat.get("workingset_refault_file"),
  };
}
