import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import type { ContainerId } from "../../api/ids";
import type { StreamRequest } from "./requests";
import { Tickets } from "./tickets";

const request: StreamRequest = {
  kind: "exec",
  containerId: "c".repeat(64) as ContainerId,
  command: ["true"],
  stdin: false,
  stdout: true,
  stderr: true,
  tty: false,
};

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test("a token is good once, for what it was issued for", () => {
  const tickets = new Tickets();
  const token = tickets.issue(request);
  expect(Buffer.from(token, "base64url")).toHaveLength(24);
  expect(tickets.redeem("exec", token)).toBe(request);
  expect(tickets.redeem("exec", token)).toBeUndefined();
  expect(tickets.redeem("exec", "guess")).toBeUndefined();
  expect(tickets.redeem("exec", "__proto__")).toBeUndefined();
});

test("tokens are random from the first to the last character", () => {
  const tokens = Array.from({ length: 200 }, () => new Tickets().issue(request));
  for (let at = 0; at < 32; at++) expect(new Set(tokens.map((token) => token[at])).size).toBeGreaterThan(32);
});

test("a token of another kind is refused and spent", () => {
  const tickets = new Tickets();
  const token = tickets.issue(request);
  expect(tickets.redeem("attach", token)).toBeUndefined();
  expect(tickets.redeem("exec", token)).toBeUndefined();
});

test("a token expires after a minute", () => {
  const tickets = new Tickets();
  const token = tickets.issue(request);
  const kept = tickets.issue(request);
  jest.advanceTimersByTime(59_000);
  expect(tickets.redeem("exec", kept)).toBe(request);
  jest.advanceTimersByTime(1_000);
  expect(tickets.redeem("exec", token)).toBeUndefined();
  expect(tickets.size).toBe(0);
});

test("so many may wait and no more", () => {
  const tickets = new Tickets();
  for (let i = 0; i < 1000; i++) tickets.issue(request);
  expect(() => tickets.issue(request)).toThrow(/wait for their clients/);
  tickets.clear();
  expect(tickets.issue(request)).toBeTruthy();
});
