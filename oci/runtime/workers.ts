import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BerthError } from "../../api/errors";
import { descendantsOf, identify, isAlive, isHalted, signalProcess } from "../../sys/process-identity";

const sigkill = 9;
const sigstop = 19;
const lookMs = 2;

interface Worker {
  pid: number;
  args: string[];
}

/**
 * The processes that work on a container of the runtime whose state lies in `root`: calls of the runtime, and the
 * monitor. Both name the two, and both go on when the daemon that has started them ends.
 */
export function workersOn(root: string, id: string): Worker[] {
  return fs.readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const args = argumentsOf(name);
    return args.includes(id) && args.includes(`--root=${root}`) ? [{ pid: Number(name), args }] : [];
  });
}

/** The containers that have a monitor which leaves exit codes in `exitDirectory`. */
export function monitoredIn(exitDirectory: string): string[] {
  return fs.readdirSync("/proc").flatMap((name) => {
    const args = /^\d+$/.test(name) ? argumentsOf(name) : [];
    const id = args[args.indexOf("-u") + 1];
    return args[args.indexOf("--exit-dir") + 1] === exitDirectory && id ? [id] : [];
  });
}

/**
 * Kills all that works on a container and all that has come of it, for one that is not to be: a monitor or a runtime
 * left to itself would finish it later. They are halted first, so that none starts another unseen.
 */
export async function endWorkersOn(root: string, id: string, timeoutMs = 5000): Promise<void> {
  const until = performance.now() + timeoutMs;
  const found = new Map<number, NonNullable<ReturnType<typeof identify>>>();
  const wait = async (what: string, isDone: () => boolean) => {
    while (!isDone()) {
      if (performance.now() > until) throw new BerthError("DeadlineExceeded", `${what} of container ${id} go on`);
      await sleep(lookMs);
    }
  };
  for (;;) {
    const all = workersOn(root, id).flatMap(({ pid }) => [pid, ...descendantsOf(pid)]);
    const fresh = all.filter((pid) => !found.has(pid)).flatMap((pid) => identify(pid) ?? []);
    if (fresh.length === 0) break;
    for (const worker of fresh) {
      found.set(worker.pid, worker);
      signalProcess(worker, sigstop);
    }
    await wait("the makers", () => fresh.every(isHalted));
  }
  for (const worker of found.values()) signalProcess(worker, sigkill);
  await wait("the processes", () => ![...found.values()].some(isAlive));
}

/** Waits until the runtime does not start a container any more. Throws DeadlineExceeded. */
export async function awaitStart(root: string, id: string, timeoutMs: number): Promise<void> {
  const until = performance.now() + timeoutMs;
  while (workersOn(root, id).some(({ args }) => args.at(-2) === "start" && args.at(-1) === id)) {
    if (performance.now() > until)
      throw new BerthError("DeadlineExceeded", `the runtime still starts container ${id} after ${timeoutMs / 1000} s`);
    await sleep(lookMs);
  }
}

function argumentsOf(pid: string): string[] {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0").slice(0, -1);
  } catch {
    return [];
  }
}
