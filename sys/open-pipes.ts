import fs from "node:fs";
import type net from "node:net";

/** A pipe to or from a child: `child` is to be given to it and then closed here, `stream` is this side of it. */
export interface ChildPipe {
  child: number;
  stream: net.Socket;
}

/** Opens several pipes, or none: a process that has no descriptor left for one of them must not lose the others. */
export function openPipes<const Open extends readonly (() => ChildPipe)[]>(
  ...open: Open
): { -readonly [Each in keyof Open]: ChildPipe } {
  const opened: ChildPipe[] = [];
  try {
    for (const each of open) opened.push(each());
  } catch (error) {
    for (const { child, stream } of opened) {
      fs.closeSync(child);
      stream.destroy();
    }
    throw error;
  }
  return opened as { -readonly [Each in keyof Open]: ChildPipe };
}
