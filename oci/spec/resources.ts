import type { HugepageLimit, LinuxContainerResources } from "../../api/messages";
import { type SpecCpu, type SpecMemory, type SpecResources, specNumber } from "../runtime-spec";
import type { CgroupFeatures } from "./cgroup-features";
import { checkCount, invalid, quote } from "./check-text";

export interface ResourcesResult {
  resources: SpecResources;
  warnings: string[];
}

/**
 * The limits of a CRI request as the runtime spec has them, for creating and for updating (config-linux.md, control
 * groups). Zero and empty mean unset. Throws InvalidArgument for values that no kernel takes, and for `unified` where
 * there is no cgroup v2. Limits that the host cannot keep are left out with a warning.
 */
export function resourcesOf(request: LinuxContainerResources, features: CgroupFeatures): ResourcesResult {
  const cpu = cpuOf(request);
  const memory = memoryOf(request);
  const pages = hugepagesOf(request.hugepageLimits);
  const unified = { ...(features.swap && unifiedSwap(memory, features)), ...unifiedOf(request.unified, features) };
  if (!features.swap || features.version === "v2") delete memory.swap;
  const warnings: string[] = [];
  if (!features.hugetlb && pages.some((page) => page.limit !== 0)) {
    warnings.push("left out the hugepage limits: there is no hugetlb cgroup controller");
  }
  if (!features.swap && request.memorySwapLimitInBytes !== 0n) {
    warnings.push("left out the swap limit: this kernel does not count swap");
  }
  return {
    resources: {
      ...(Object.keys(cpu).length > 0 && { cpu }),
      ...(Object.keys(memory).length > 0 && { memory }),
      ...(features.hugetlb && pages.length > 0 && { hugepageLimits: pages }),
      ...(Object.keys(unified).length > 0 && { unified }),
    },
    warnings,
  };
}

function cpuOf(request: LinuxContainerResources): SpecCpu {
  const cpu: SpecCpu = {};
  if (request.cpuShares !== 0n) cpu.shares = within("cpu_shares", request.cpuShares, [0n, 1n << 32n]);
  if (request.cpuPeriod !== 0n) cpu.period = within("cpu_period", request.cpuPeriod, [1000n, 1000000n]);
  if (request.cpuQuota !== 0n) {
    // -1 is no limit; below a millisecond the kernel refuses
    cpu.quota = request.cpuQuota < 0n ? -1 : within("cpu_quota", request.cpuQuota, [1000n, 1n << 50n]);
  }
  if (request.cpusetCpus !== "") cpu.cpus = cpuset("cpuset_cpus", request.cpusetCpus);
  if (request.cpusetMems !== "") cpu.mems = cpuset("cpuset_mems", request.cpusetMems);
  return cpu;
}

function within(name: string, value: bigint, [least, most]: [bigint, bigint]): number {
  if (value < least || value > most) throw invalid(`${name} ${value} is not between ${least} and ${most}`);
  return Number(value);
}

function cpuset(name: string, list: string): string {
  if (!/^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$/.test(list) || list.length > 4096) {
    throw invalid(`${name} ${quote(list)} is not a list such as 0-3,5`);
  }
  return list;
}

function memoryOf(request: LinuxContainerResources): SpecMemory {
  const limit = request.memoryLimitInBytes;
  const swap = request.memorySwapLimitInBytes;
  if (limit < -1n) throw invalid(`memory_limit_in_bytes ${limit} is negative`);
  if (swap < -1n) throw invalid(`memory_swap_limit_in_bytes ${swap} is negative`);
  // the spec's swap is memory and swap together, so it is never the smaller of the two
  if (swap > 0n && limit > swap) {
    throw invalid(`memory_swap_limit_in_bytes ${swap} is below memory_limit_in_bytes ${limit}`);
  }
  const memory: SpecMemory = {};
  if (limit !== 0n) memory.limit = specNumber(limit);
  // nothing swaps unless asked to: with no swap limit of its own, memory and swap together may not pass the memory's
  const together = swap === 0n ? limit : swap;
  if (together !== 0n) memory.swap = specNumber(together);
  return memory;
}

/**
 * The swap limit as version 2 counts it, without memory. crun 1.21 tells systemd the sum instead, and runc 1.1 tells it
 * nothing; both pass on what is named by its file.
 */
function unifiedSwap({ limit = 0, swap = 0 }: SpecMemory, { version }: CgroupFeatures): Record<string, string> {
  if (version !== "v2" || swap === 0) return {};
  const together = BigInt(swap);
  if (together < 0n) return { "memory.swap.max": "max" };
  if (BigInt(limit) <= 0n) throw invalid("memory_swap_limit_in_bytes needs a memory_limit_in_bytes, which it includes");
  return { "memory.swap.max": String(together - BigInt(limit)) };
}

function hugepagesOf(limits: HugepageLimit[]) {
  checkCount("hugepage limits", limits, 64);
  return limits.map(({ pageSize, limit }) => {
    if (!/^[1-9][0-9]{0,8}[KMGT]B$/.test(pageSize))
      throw invalid(`the page size ${quote(pageSize)} is not such as 2MB`);
    return { pageSize, limit: specNumber(limit) };
  });
}

function unifiedOf(unified: Record<string, string>, features: CgroupFeatures): Record<string, string> {
  const entries = Object.entries(unified);
  if (entries.length === 0) return {};
  if (features.version !== "v2") throw invalid("unified resources need cgroup v2");
  checkCount("unified resources", entries, 256);
  for (const [file, value] of entries) {
    // a file of the container's own cgroup, and one value for it
    if (!/^[a-z0-9_]+(\.[A-Za-z0-9_]+)+$/.test(file)) throw invalid(`${quote(file)} is not the name of a cgroup file`);
    if (/[\n\0]/.test(value)) throw invalid(`the value of ${file} has a newline or a NUL`);
  }
  return unified;
}
