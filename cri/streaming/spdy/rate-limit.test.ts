import { expect, test } from "@jest/globals";
import { RateLimit } from "./rate-limit";

test("a burst passes, then so many a second", () => {
  let now = 0;
  const limit = new RateLimit(3, 2, () => now);
  expect([1, 2, 3, 4].map(() => limit.take())).toEqual([true, true, true, false]);
  now = 1000;
  expect([1, 2, 3].map(() => limit.take())).toEqual([true, true, false]);
  now = 60_000;
  expect([1, 2, 3, 4].map(() => limit.take())).toEqual([true, true, true, false]);
});
