import { type KeyedCounts, readCount, readKeyedCounts, readLimit } from "./cgroup-files";
import type { CgroupPaths, Cgroups } from "./cgroups";

/** What the CRI's stats tell, by four files. Bytes, but for the counts at the end. */
export interface CgroupMemory {
  usage: bigint;
  /** Undefined where there is none. */
  limit: bigint | undefined;
  /** What can't be dropped at once: usage less the page cache that nobody has used lately. */
  workingSet: bigint;
  /** Anonymous memory. */
  rss: bigint;
  swap: bigint;
  /** Of swap alone; undefined where there is none or the kernel keeps none. */
  swapLimit: bigint | undefined;
  pageFaults: bigint;
  majorPageFaults: bigint;
}

/** What metrics tell beside it, by more files. Bytes, but for the counts. */
export interface CgroupMemoryDetails extends CgroupMemory {
  /** The highest that usage has been; undefined on kernels that do not keep it. */
  maxUsage: bigint | undefined;
  /** What is left to it when others are short of memory; undefined where nothing is promised. */
  reservation: bigint | undefined;
  cache: bigint;
  mappedFile: bigint;
  activeFile: bigint;
  inactiveFile: bigint;
  kernel: bigint;
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
export const readCgroupMemory = (cgroups: Cgroups, paths: CgroupPaths): CgroupMemory | undefined =>
  read(cgroups, paths, ({ memory }) => memory);

/** The same and more. */
export const readCgroupMemoryDetails = (cgroups: Cgroups, paths: CgroupPaths): CgroupMemoryDetails | undefined =>
  read(cgroups, paths, ({ memory, details }) => ({ ...memory, ...details() }));

interface Reading {
  memory: CgroupMemory;
  details(): Omit<CgroupMemoryDetails, keyof CgroupMemory>;
}

function read<T>(cgroups: Cgroups, paths: CgroupPaths, pick: (reading: Reading) => T): T | undefined {
  const isV2 = cgroups.version === "v2";
  const directory = cgroups.ofPaths(isV2 ? "" : "memory", paths);
  const usage = readCount(directory, isV2 ? "memory.current" : "memory.usage_in_bytes");
  if (usage === undefined) return undefined;
  const stat = readKeyedCounts(directory, "memory.stat");
  return pick((isV2 ? readV2 : readV1)(directory, usage, stat));
}

const less = (whole: bigint, part: bigint) => (whole > part ? whole - part : 0n);

function readV1(directory: string | undefined, usage: bigint, stat: KeyedCounts): Reading {
  const total = (key: string) => stat.get(`total_${key}`) ?? 0n;
  const limit = readLimit(directory, "memory.limit_in_bytes");
  const limitWithSwap = readLimit(directory, "memory.memsw.limit_in_bytes");
  return {
    memory: {
      usage,
      limit,
      workingSet: less(usage, total("inactive_file")),
      rss: total("rss"),
      swap: total("swap"),
      swapLimit: limitWithSwap === undefined || limit === undefined ? undefined : less(limitWithSwap, limit),
      pageFaults: total("pgfault"),
      majorPageFaults: total("pgmajfault"),
    },
    details: () => ({
      maxUsage: readCount(directory, "memory.max_usage_in_bytes"),
      reservation: readLimit(directory, "memory.soft_limit_in_bytes"),
      cache: total("cache"),
      mappedFile: total("mapped_file"),
      activeFile: total("active_file"),
      inactiveFile: total("inactive_file"),
      kernel: readCount(directory, "memory.kmem.usage_in_bytes") ?? 0n,
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
    }),
  };
}

function readV2(directory: string | undefined, usage: bigint, stat: KeyedCounts): Reading {
  const of = (key: string) => stat.get(key) ?? 0n;
  return {
    memory: {
      usage,
      limit: readLimit(directory, "memory.max"),
      workingSet: less(usage, of("inactive_file")),
      rss: of("anon"),
      swap: readCount(directory, "memory.swap.current") ?? 0n,
      swapLimit: readLimit(directory, "memory.swap.max"),
      pageFaults: of("pgfault"),
      majorPageFaults: of("pgmajfault"),
    },
    details: () => {
      const events = readKeyedCounts(directory, "memory.events");
      return {
        maxUsage: readCount(directory, "memory.peak"),
        reservation: readLimit(directory, "memory.low") || undefined,
        cache: of("file"),
        mappedFile: of("file_mapped"),
        activeFile: of("active_file"),
        inactiveFile: of("inactive_file"),
        // one sum since Linux 5.18; before it, its largest parts
        kernel: stat.get("kernel") ?? of("kernel_stack") + of("slab") + of("percpu") + of("sock"),
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
    },
  };
}
