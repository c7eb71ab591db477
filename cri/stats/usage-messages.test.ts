import { expect, test } from "@jest/globals";
import type { CgroupMemory } from "../../sys/cgroup-memory";
import { cpuUsage, ioUsage, memoryUsage, swapUsage } from "./usage-messages";

const memory = (change: Partial<CgroupMemory>): CgroupMemory => ({
  usage: 1000n,
  limit: undefined,
  workingSet: 700n,
  rss: 400n,
  swap: 20n,
  swapLimit: undefined,
  pageFaults: 7n,
  majorPageFaults: 1n,
  ...change,
});
const read = (change: Partial<CgroupMemory>) => ({ timestamp: 5n, use: memory(change), pressure: undefined });

test("what is available is the limit less the working set, never below zero, and unsaid without a limit", () => {
  expect(memoryUsage(read({ limit: 1500n })).availableBytes).toEqual({ value: 800n });
  expect(memoryUsage(read({ limit: 600n })).availableBytes).toEqual({ value: 0n });
  expect(memoryUsage(read({})).availableBytes).toBeNull();
  expect(swapUsage(read({ swapLimit: 50n }))).toMatchObject({
    swapAvailableBytes: { value: 30n },
    swapUsageBytes: { value: 20n },
  });
});

test("an unknown rate is absent, a rate of zero is not", () => {
  const use = { timestamp: 5n, usageNs: 1n };
  expect(cpuUsage({ ...use, nanoCores: undefined }, undefined).usageNanoCores).toBeNull();
  expect(cpuUsage({ ...use, nanoCores: 0n }, undefined).usageNanoCores).toEqual({ value: 0n });
});

test("pressure is told in ns, with the half that the kernel lacks left out", () => {
  const some = { avg10: 1.5, avg60: 0, avg300: 0, totalNs: 2000n };
  expect(ioUsage(5n, { some, full: undefined })).toEqual({
    timestamp: 5n,
    psi: { Some: { Total: 2000n, Avg10: 1.5, Avg60: 0, Avg300: 0 }, Full: null },
  });
  expect(ioUsage(5n, undefined)).toBeNull();
});
