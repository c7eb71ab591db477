import { KeyedLock } from "./keyed-lock";
import { Limiter } from "./limiter";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("run() has one holder a key at a time, in the order of asking, and lets go when work throws", async () => {
  const lock = new KeyedLock();
  const order: string[] = [];
  const work = (name: string, ms: number) => async () => {
    order.push(`${name} in`);
    await pause(ms);
    order.push(`${name} out`);
    if (name === "b") throw new Error("b");
  };
  const results = await Promise.allSettled([
    lock.run("k", work("a", 10)),
    lock.run("k", work("b", 1)),
    lock.run("k", work("c", 1)),
  ]);
  expect(order).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
  expect(results[1]?.status).toBe("rejected");
});

test("run() does not make different keys wait for each other", async () => {
  const lock = new KeyedLock();
  let release = () => {};
  const held = lock.run("a", () => new Promise<void>((resolve) => (release = resolve)));
  expect(await lock.run("b", () => "done")).toBe("done");
  release();
  await held;
});

test("a Limiter runs no more than its limit at once", async () => {
  const limiter = new Limiter(2);
  let now = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 10 }, () =>
      limiter.run(async () => {
        most = Math.max(most, ++now);
        await pause(2);
        now--;
      }),
    ),
  );
  expect(most).toBe(2);
});
