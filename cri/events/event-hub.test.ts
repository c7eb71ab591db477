import { expect, test } from "@jest/globals";
import { EventHub } from "./event-hub";

async function readAll<T>(events: AsyncGenerator<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

test("every subscriber gets what was published since it subscribed, in order", async () => {
  const hub = new EventHub<number>();
  hub.publish(0);
  const first = hub.subscribe(new AbortController().signal);
  hub.publish(1);
  const second = hub.subscribe(new AbortController().signal);
  hub.publish(2);
  hub.publish(3);
  hub.close();
  expect(await readAll(first)).toEqual([1, 2, 3]);
  expect(await readAll(second)).toEqual([2, 3]);
  expect(hub.hasSubscribers).toBe(false);
});

test("one that reads too slowly is told that it lost its place; others are unhurt", async () => {
  const hub = new EventHub<number>(3);
  const slow = hub.subscribe(new AbortController().signal);
  const quick = hub.subscribe(new AbortController().signal);
  const seen: number[] = [];
  const reading = (async () => {
    for await (const event of quick) seen.push(event);
  })();
  for (let i = 0; i < 10; i++) {
    hub.publish(i);
    await new Promise(setImmediate);
  }
  expect(hub.counts()).toEqual({ subscribers: 2, queued: 0, dropped: 10 });
  await expect(readAll(slow)).rejects.toMatchObject({ code: "ResourceExhausted" });
  hub.close();
  await reading;
  expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("one that leaves while it waits is forgotten", async () => {
  const hub = new EventHub<number>();
  const controller = new AbortController();
  const reading = readAll(hub.subscribe(controller.signal));
  await new Promise(setImmediate);
  controller.abort();
  expect(await reading).toEqual([]);
  expect(hub.hasSubscribers).toBe(false);
});

test("who subscribes to a closed hub, or has left before, reads nothing", async () => {
  const hub = new EventHub<number>();
  expect(await readAll(hub.subscribe(AbortSignal.abort()))).toEqual([]);
  hub.close();
  expect(await readAll(hub.subscribe(new AbortController().signal))).toEqual([]);
  expect(hub.hasSubscribers).toBe(false);
});
