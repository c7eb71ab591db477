import { abortError } from "./http-body";

export interface RetryPolicy {
  /** Tries in all, the first one counted. */
  attempts: number;
  /** The first pause, doubled with each further one, and each shortened at random by up to a half. */
  firstPauseMs: number;
  /** No pause is longer, whatever the registry's Retry-After asks for. */
  longestPauseMs: number;
}

export const defaultRetryPolicy: RetryPolicy = { attempts: 5, firstPauseMs: 200, longestPauseMs: 20_000 };

export interface Pause {
  /** 1 before the second try. */
  retry: number;
  /** What Retry-After asked for. */
  askedMs?: number;
  signal?: AbortSignal;
}

/** Waits before another try. Throws Cancelled as soon as the signal aborts. */
export function pause(policy: RetryPolicy, { retry, askedMs, signal }: Pause): Promise<void> {
  const grownMs = policy.firstPauseMs * 2 ** (retry - 1) * (1 - Math.random() / 2);
  const pauseMs = Math.min(policy.longestPauseMs, Math.max(grownMs, askedMs ?? 0));
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(abortError(signal!));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, pauseMs);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** ms that a Retry-After header asks for, in seconds or as a date (RFC 9110, section 10.2.3). */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  const dateMs = Date.parse(text);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}
