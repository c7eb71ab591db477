import { setTimeout as sleep } from "node:timers/promises";

/** What other work on the machine may delay by; no promise of ours. */
const TIMEOUT_MS = 120_000;
/** Who set which field when says nothing of what is wrong. */
const isTold = (key: string) => key !== "managedFields" && key !== "tolerations";

/**
 * Asks until the answer is good, and gives it.
 * @throws with the last answer, or what it failed with, where that takes too long
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T> | T,
  good: (answer: T) => boolean = Boolean,
  timeoutMs = TIMEOUT_MS,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let last: unknown;
    try {
      const answer = await ask();
      if (good(answer)) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const shown =
        last instanceof Error ? last.stack : JSON.stringify(last, (key, value) => (isTold(key) ? value : undefined));
      throw new Error(`${what}: not after ${timeoutMs / 1000} s; last: ${shown?.slice(0, 5000)}`);
    }
    await sleep(200);
  }
}
