import { describe, expect, test } from "@jest/globals";
import type { Init, LinuxContainerResources } from "../../api/messages";
import { encodeSpec } from "../runtime-spec";
import { containerConfig } from "./input.fixture";
import { resourcesOf } from "./resources";

const v1 = { version: "v1", swap: true, hugetlb: true } as const;
const of = (init: Init<LinuxContainerResources>, features: Parameters<typeof resourcesOf>[1] = v1) =>
  resourcesOf(containerConfig({ linux: { resources: init } }).linux!.resources!, features);

describe("resourcesOf()", () => {
  test("has nothing for zeros", () => {
    expect(of({})).toEqual({ resources: {}, warnings: [] });
  });

  test("passes CPU and memory, with swap no more than memory", () => {
    expect(
      of({ cpuShares: 2n, cpuQuota: -1n, cpuPeriod: 100000n, cpusetCpus: "0-1,3", memoryLimitInBytes: 4096n })
        .resources,
    ).toEqual({
      cpu: { shares: 2, quota: -1, period: 100000, cpus: "0-1,3" },
      memory: { limit: 4096, swap: 4096 },
    });
  });

  test("sets the swap limit that is asked for, and none where swap is not counted", () => {
    const both = { memoryLimitInBytes: 4096n, memorySwapLimitInBytes: 8192n };
    expect(of(both).resources.memory).toEqual({ limit: 4096, swap: 8192 });
    const without = of(both, { ...v1, swap: false });
    expect(without.resources.memory).toEqual({ limit: 4096 });
    expect(without.warnings).toEqual([expect.stringContaining("swap")]);
  });

  test("keeps limits beyond 2^53 exact", () => {
    const { resources } = of({ hugepageLimits: [{ pageSize: "2MB", limit: 18446744073709551615n }] });
    expect(encodeSpec(resources)).toBe('{"hugepageLimits":[{"pageSize":"2MB","limit":18446744073709551615}]}');
  });

  test("warns of hugepages only when a limit is lost", () => {
    const features = { ...v1, hugetlb: false };
    expect(of({ hugepageLimits: [{ pageSize: "2MB", limit: 0n }] }, features)).toEqual({ resources: {}, warnings: [] });
    expect(of({ hugepageLimits: [{ pageSize: "2MB", limit: 1n }] }, features).warnings).toHaveLength(1);
  });

  test("counts swap apart from memory on v2, unless unified says otherwise", () => {
    const v2 = { ...v1, version: "v2" } as const;
    const limit = 4096n;
    const swapOf = (init: Init<LinuxContainerResources>) => of(init, v2).resources;
    expect(swapOf({ memoryLimitInBytes: limit })).toEqual({
      memory: { limit: 4096 },
      unified: { "memory.swap.max": "0" },
    });
    const both = { memoryLimitInBytes: limit, memorySwapLimitInBytes: 12288n };
    expect(swapOf(both).unified).toEqual({ "memory.swap.max": "8192" });
    expect(swapOf({ ...both, memorySwapLimitInBytes: -1n }).unified).toEqual({ "memory.swap.max": "max" });
    const own = { "memory.swap.max": "5" };
    expect(swapOf({ ...both, unified: own }).unified).toEqual(own);
    expect(of(both, { ...v2, swap: false }).resources).toEqual({ memory: { limit: 4096 } });
    expect(() => swapOf({ memorySwapLimitInBytes: 4096n })).toThrow(/memory_limit_in_bytes/);
  });

  test("passes unified on v2 alone", () => {
    const unified = { "memory.high": "max" };
    expect(of({ unified }, { ...v1, version: "v2" }).resources).toEqual({ unified });
    expect(() => of({ unified })).toThrow(/cgroup v2/);
  });

  test.each<Init<LinuxContainerResources>>([
    { cpuShares: -1n },
    { cpuPeriod: 1n },
    { cpuQuota: 5n },
    { cpusetCpus: "0\n1" },
    { cpusetMems: "../x" },
    { memoryLimitInBytes: -5n },
    { memoryLimitInBytes: 8192n, memorySwapLimitInBytes: 4096n },
    { hugepageLimits: [{ pageSize: "../2MB", limit: 1n }] },
  ])("refuses case %#", (init) => {
    expect(() => of(init)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });

  test.each(["../x", "cgroup", "a/b.c"])("refuses the unified file %s", (file) => {
    expect(() => of({ unified: { [file]: "1" } }, { ...v1, version: "v2" })).toThrow(/not the name/);
  });
});
