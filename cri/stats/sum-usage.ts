import type { ContainerStats, CpuUsage, Init, MemoryUsage } from "../../api/messages";

type Stats = Init<ContainerStats>;
type Wrapped = Init<{ value: bigint }> | null | undefined;

/** CPU of several containers together; pressure can't be summed and is left out. */
export const sumCpu = (containers: readonly Stats[], timestamp: bigint): Init<CpuUsage> => ({
  timestamp,
  usageCoreNanoSeconds: sum(containers, ({ cpu }) => cpu?.usageCoreNanoSeconds),
  usageNanoCores: sum(containers, ({ cpu }) => cpu?.usageNanoCores),
});

/** Memory of several containers together; what is available is said only where each of them has a limit. */
export function sumMemory(containers: readonly Stats[], timestamp: bigint): Init<MemoryUsage> {
  const running = containers.filter(({ memory }) => memory);
  const areLimited = running.length > 0 && running.every(({ memory }) => memory?.availableBytes);
  return {
    timestamp,
    workingSetBytes: sum(running, ({ memory }) => memory?.workingSetBytes),
    availableBytes: areLimited ? sum(running, ({ memory }) => memory?.availableBytes) : null,
    usageBytes: sum(running, ({ memory }) => memory?.usageBytes),
    rssBytes: sum(running, ({ memory }) => memory?.rssBytes),
    pageFaults: sum(running, ({ memory }) => memory?.pageFaults),
    majorPageFaults: sum(running, ({ memory }) => memory?.majorPageFaults),
  };
}

const sum = (containers: readonly Stats[], pick: (stats: Stats) => Wrapped) => ({
  value: containers.reduce((total, stats) => total + (pick(stats)?.value ?? 0n), 0n),
});
