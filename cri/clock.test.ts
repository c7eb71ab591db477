import { continueClock, nowNs } from "./clock";

test("nowNs() is the wall clock, never the same twice, never going back when the host's clock does", () => {
  const real = Date.now;
  const first = nowNs();
  expect(Math.abs(Number(first / 1_000_000n) - real())).toBeLessThan(1000);
  try {
    Date.now = () => real() - 60_000;
    const [second, third] = [nowNs(), nowNs()];
    expect(second).toBeGreaterThan(first);
    expect(third).toBeGreaterThan(second);
  } finally {
    Date.now = real;
  }
});

test("nowNs() is later than what an earlier run has told", () => {
  const told = nowNs() + 3_600_000_000_000n;
  continueClock(told);
  expect(nowNs()).toBe(told + 1n);
  continueClock(5n);
  expect(nowNs()).toBe(told + 2n);
});
