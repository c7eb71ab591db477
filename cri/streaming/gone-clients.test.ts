import type net from "node:net";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { GoneClients } from "./gone-clients";

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test("a connection found closed twice is cut off, one found once is not", () => {
  const gone = new PassThrough() as unknown as net.Socket;
  const closing = new PassThrough() as unknown as net.Socket;
  const there = new PassThrough() as unknown as net.Socket;
  const closed = new Set([gone, closing]);
  const clients = new GoneClients((socket) => closed.has(socket));
  for (const socket of [gone, closing, there]) clients.watch(socket);
  jest.advanceTimersByTime(5000);
  expect(gone.destroyed).toBe(false);
  closed.delete(closing);
  jest.advanceTimersByTime(5000);
  expect([gone, closing, there].map((socket) => socket.destroyed)).toEqual([true, false, false]);
});
