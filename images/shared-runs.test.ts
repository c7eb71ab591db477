import { BerthError } from "../api/errors";
import { SharedRuns } from "./shared-runs";

function work() {
  const started: { signal: AbortSignal; emit: (event: string) => void; end: (result: string) => void }[] = [];
  const run = (signal: AbortSignal, emit: (event: string) => void) =>
    new Promise<string>((resolve, reject) => {
      started.push({ signal, emit, end: resolve });
      signal.addEventListener("abort", () => reject(new BerthError("Cancelled", "aborted")));
    });
  return { started, run };
}

test("join() runs the work once when several ask at the same time", async () => {
  const runs = new SharedRuns<string, string>();
  const { started, run } = work();
  const events: string[] = [];
  const first = runs.join("k", {}, run);
  const second = runs.join("k", { onEvent: (event) => events.push(event) }, run);
  const other = runs.join("other", {}, run);
  expect(started).toHaveLength(2);
  started[0]!.emit("half");
  started[0]!.end("done");
  started[1]!.end("other");
  expect(await Promise.all([first, second, other])).toEqual(["done", "done", "other"]);
  expect(events).toEqual(["half"]);
  const later = runs.join("k", {}, run);
  expect(started).toHaveLength(3);
  started[2]!.end("again");
  expect(await later).toBe("again");
});

test("join() goes on for the others when one gives up, and aborts the work when all do", async () => {
  const runs = new SharedRuns<string, string>();
  const { started, run } = work();
  const [one, two] = [new AbortController(), new AbortController()];
  const first = runs.join("k", { signal: one.signal }, run);
  const second = runs.join("k", { signal: two.signal }, run);
  one.abort();
  await expect(first).rejects.toMatchObject({ code: "Cancelled" });
  expect(started[0]!.signal.aborted).toBe(false);
  two.abort(new BerthError("DeadlineExceeded", "too late"));
  await expect(second).rejects.toMatchObject({ code: "DeadlineExceeded" });
  expect(started[0]!.signal.aborted).toBe(true);
  const third = runs.join("k", {}, run);
  expect(started).toHaveLength(2);
  started[1]!.end("fresh");
  expect(await third).toBe("fresh");
});

test("join() starts nothing when the signal has aborted before", async () => {
  const { started, run } = work();
  await expect(new SharedRuns<string, string>().join("k", { signal: AbortSignal.abort() }, run)).rejects.toMatchObject({
    code: "Cancelled",
  });
  expect(started).toEqual([]);
});
