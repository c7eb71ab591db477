import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { IdleTrim } from "./idle-trim";

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test("a burst is trimmed after once, a few sessions are not worth it", () => {
  let trims = 0;
  const idle = new IdleTrim(() => {
    trims += 1;
  });
  for (let i = 0; i < 15; i++) idle.sessionEnded();
  jest.advanceTimersByTime(60_000);
  expect(trims).toBe(0);
  for (let i = 0; i < 200; i++) idle.sessionEnded();
  jest.advanceTimersByTime(60_000);
  expect(trims).toBe(1);
});
