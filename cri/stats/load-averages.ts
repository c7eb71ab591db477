import type { TaskStates } from "../../sys/task-states";

/** In thousandths of a task, as cAdvisor has them. */
export interface LoadAverage {
  /** Of tasks that run or could. */
  load: bigint;
  /** Of those that wait for a disk and the like. */
  loadD: bigint;
}

interface Smoothed {
  load: number;
  loadD: number;
  atMs: number;
}

const decayMs = 10_000;

/** Smooths how many tasks of something are at work over ten seconds, as often as they are counted. */
export class LoadAverages {
  private readonly known = new WeakMap<object, Smoothed>();

  /** The first count stands for the time before it. */
  add(subject: object, { running, uninterruptible }: TaskStates, nowMs = performance.now()): LoadAverage {
    const last = this.known.get(subject) ?? { load: running, loadD: uninterruptible, atMs: nowMs };
    const decay = Math.exp((last.atMs - nowMs) / decayMs);
    const smooth = (old: number, now: number) => old * decay + now * (1 - decay);
    const next = { load: smooth(last.load, running), loadD: smooth(last.loadD, uninterruptible), atMs: nowMs };
    this.known.set(subject, next);
    return { load: BigInt(Math.round(next.load * 1000)), loadD: BigInt(Math.round(next.loadD * 1000)) };
  }
}
