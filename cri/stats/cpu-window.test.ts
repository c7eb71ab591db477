import { expect, test } from "@jest/globals";
import { CpuWindow } from "./cpu-window";

const ms = (count: number) => BigInt(count) * 1_000_000n;

test("nanoCores is unknown after one reading and known after two, however close", () => {
  const window = new CpuWindow({ atNs: ms(0), usageNs: ms(5) });
  expect(window.nanoCores).toBeUndefined();
  window.add({ atNs: ms(100), usageNs: ms(55) });
  expect(window.nanoCores).toBe(500_000_000n);
});

test("readings in quick succession do not shorten the span", () => {
  const window = new CpuWindow({ atNs: ms(0), usageNs: 0n });
  window.add({ atNs: ms(10_000), usageNs: ms(10_000) });
  window.add({ atNs: ms(10_001), usageNs: ms(10_000) });
  expect(Number(window.nanoCores)).toBeCloseTo(1e9, -6);
});

test("the span moves on, so that old load is forgotten", () => {
  const window = new CpuWindow({ atNs: ms(0), usageNs: 0n });
  for (const second of [10, 20, 30]) window.add({ atNs: ms(second * 1000), usageNs: ms(10_000) });
  expect(window.nanoCores).toBe(0n);
});

test("a counter that has gone back is no use at all, not a huge one", () => {
  const window = new CpuWindow({ atNs: ms(0), usageNs: ms(50) });
  window.add({ atNs: ms(2000), usageNs: ms(10) });
  expect(window.nanoCores).toBe(0n);
});
