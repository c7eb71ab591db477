import type { IncomingMessage } from "node:http";
import { BerthError } from "../api/errors";
import { safeUrl } from "./remote-text";
import { transportError } from "./transport-error";

export interface BodyLimits {
  url: URL;
  /** ms of waiting within which `minProgressBytes` must come. */
  progressTimeoutMs: number;
  signal?: AbortSignal;
}

// a byte now and then is no progress either
const minProgressBytes = 1024;

/**
 * The body of an answer as it arrives. Only the waiting for the network counts as time without progress, not what the
 * reader does between chunks. Throws RegistryUnavailable where it breaks off or comes to a stop.
 */
export async function* readBody(message: IncomingMessage, limits: BodyLimits): AsyncGenerator<Uint8Array> {
  const iterator = message[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const onAbort = () => message.destroy(abortError(limits.signal!));
  limits.signal?.addEventListener("abort", onAbort);
  let waitedMs = 0;
  let freshBytes = 0;
  try {
    if (limits.signal?.aborted) onAbort();
    while (true) {
      const since = performance.now();
      const stall = setTimeout(
        () => message.destroy(stallError(limits)),
        Math.max(1, limits.progressTimeoutMs - waitedMs),
      );
      const next = await iterator.next().finally(() => clearTimeout(stall));
      if (next.done) return;
      waitedMs += performance.now() - since;
      freshBytes += next.value.length;
      if (freshBytes >= minProgressBytes) waitedMs = freshBytes = 0;
      yield next.value;
    }
  } catch (error) {
    throw limits.signal?.aborted ? abortError(limits.signal) : transportError(limits.url, error);
  } finally {
    limits.signal?.removeEventListener("abort", onAbort);
    message.destroy();
  }
}

function stallError({ url, progressTimeoutMs }: BodyLimits): BerthError {
  return new BerthError("RegistryUnavailable", `${safeUrl(url)}: nothing came for ${progressTimeoutMs / 1000} s`);
}

/** What an aborted request throws: the signal's reason where it is ours (such as a deadline), else Cancelled. */
export function abortError(signal: AbortSignal): BerthError {
  return signal.reason instanceof BerthError ? signal.reason : new BerthError("Cancelled", "the pull was cancelled");
}

/** The whole of a body; undefined where it is larger than `limitBytes`, of which no more is then read. */
export async function readWhole(body: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > limitBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
