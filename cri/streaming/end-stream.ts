import type { Writable } from "node:stream";

/** Ends a stream, with a last chunk, and waits until all of it is sent, or cannot be. */
export function endStream(stream: Writable | undefined, last?: string): Promise<void> {
  if (!stream || stream.destroyed || stream.writableFinished) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once("finish", resolve);
    stream.once("close", resolve);
    if (last) stream.end(last);
    else stream.end();
  });
}
