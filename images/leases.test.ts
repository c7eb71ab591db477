import { Leases } from "./leases";

test("isHeld() is true for what was touched when an operation ran, until the last one ends", () => {
  const leases = new Leases();
  leases.touch("before");
  const first = leases.begin();
  leases.touch("a");
  const second = leases.begin();
  first();
  first();
  expect([leases.isHeld("before"), leases.isHeld("a")]).toEqual([false, true]);
  second();
  expect(leases.isHeld("a")).toBe(false);
});

test("onIdle() calls its listener when the last operation ends", () => {
  const leases = new Leases();
  let calls = 0;
  leases.onIdle(() => calls++);
  const [first, second] = [leases.begin(), leases.begin()];
  first();
  expect(calls).toBe(0);
  second();
  expect(calls).toBe(1);
});
