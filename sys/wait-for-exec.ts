import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const stepMs = 1;

/** Which file a process runs, to be compared with what it runs later; undefined where the process is gone. */
export function executableOf(pid: number): string | undefined {
  try {
    const { dev, ino } = fs.statSync(`/proc/${pid}/exe`, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** Waits until a process runs another file than `before` or is gone, at most `patienceMs`. */
export async function waitForExec(pid: number, before: string | undefined, patienceMs: number): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (before !== undefined && executableOf(pid) === before && performance.now() < endMs) await sleep(stepMs);
}
