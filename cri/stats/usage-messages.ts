import type { CpuUsage, Init, IoUsage, MemoryUsage, PsiData, PsiStats, SwapUsage } from "../../api/messages";
import type { CgroupMemory } from "../../sys/cgroup-memory";
import type { Pressure, Stall } from "../../sys/cgroup-pressure";
import type { CpuUse } from "./cpu-sampler";

/** Memory and when it was read: ns since 1970. */
export interface MemoryReading {
  timestamp: bigint;
  use: CgroupMemory;
  pressure: Pressure | undefined;
}

export const cpuUsage = (
  { timestamp, usageNs, nanoCores }: CpuUse,
  pressure: Pressure | undefined,
): Init<CpuUsage> => ({
  timestamp,
  usageCoreNanoSeconds: { value: usageNs },
  usageNanoCores: nanoCores === undefined ? null : { value: nanoCores },
  psi: psiStats(pressure),
});

/** Without a limit nothing is said of what is available: the kubelet knows the node's. */
export const memoryUsage = ({ timestamp, use, pressure }: MemoryReading): Init<MemoryUsage> => ({
  timestamp,
  workingSetBytes: { value: use.workingSet },
  availableBytes: left(use.limit, use.workingSet),
  usageBytes: { value: use.usage },
  rssBytes: { value: use.rss },
  pageFaults: { value: use.pageFaults },
  majorPageFaults: { value: use.majorPageFaults },
  psi: psiStats(pressure),
});

export const swapUsage = ({ timestamp, use }: MemoryReading): Init<SwapUsage> => ({
  timestamp,
  swapAvailableBytes: left(use.swapLimit, use.swap),
  swapUsageBytes: { value: use.swap },
});

/** The CRI tells of I/O only how long it was waited for; null where the kernel does not say. */
export const ioUsage = (timestamp: bigint, pressure: Pressure | undefined): Init<IoUsage> | null =>
  pressure ? { timestamp, psi: psiStats(pressure) } : null;

const left = (limit: bigint | undefined, used: bigint) =>
  limit === undefined ? null : { value: limit > used ? limit - used : 0n };

const psiStats = (pressure: Pressure | undefined): Init<PsiStats> | null =>
  pressure ? { Some: psiData(pressure.some), Full: psiData(pressure.full) } : null;

/** Total is in ns here (cri-api's PsiData), where the kernel writes µs. */
const psiData = (stall: Stall | undefined): Init<PsiData> | null =>
  stall ? { Total: stall.totalNs, Avg10: stall.avg10, Avg60: stall.avg60, Avg300: stall.avg300 } : null;
