import fs from "node:fs";

export interface LogLine {
  stream: "stdout" | "stderr";
  /** RFC 3339, with nanoseconds. */
  time: string;
  /** Without the newline where the container wrote none yet. */
  text: string;
}

/** One line of a log in CRI format: `TIME stdout|stderr P|F TEXT`; undefined for what is none. */
export function parseLogLine(line: string): LogLine | undefined {
  const match = /^(\S+) (stdout|stderr) ([PF])(?::\S*)? (.*)$/s.exec(line);
  if (!match) return undefined;
  const [, time = "", stream, tag, text = ""] = match;
  return { stream: stream as LogLine["stream"], time, text: tag === "F" ? `${text}\n` : text };
}

/**
 * Reads a log from its start. With `follow` it waits for more until `isOver` says that nothing will come; that is asked
 * before the last look, so that nothing written before it is missed.
 */
export async function* readLog(file: string, follow?: { isOver: () => Promise<boolean> }): AsyncGenerator<LogLine> {
  let handle: fs.promises.FileHandle | undefined;
  let rest = "";
  const buffer = Buffer.alloc(64 << 10);
  const decoder = new TextDecoder();
  try {
    for (let over = false; ; ) {
      handle ??= await fs.promises.open(file, "r").catch(() => undefined);
      for (;;) {
        const { bytesRead } = (await handle?.read(buffer, 0, buffer.length)) ?? { bytesRead: 0 };
        if (bytesRead === 0) break;
        const lines = (rest + decoder.decode(buffer.subarray(0, bytesRead), { stream: true })).split("\n");
        rest = lines.pop()!;
        for (const line of lines) {
          const parsed = parseLogLine(line);
          if (parsed) yield parsed;
        }
      }
      if (!follow || over) return;
      over = await follow.isOver();
      if (!over) await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } finally {
    await handle?.close();
  }
}
