import type { Readable } from "node:stream";
import type { TerminalSize } from "../../sys/terminal";

/** Go's encoder ends each size with a newline; some clients send each in a message of its own without one. */
const limitBytes = 1024;

/** Hears of sizes from a resize stream: `{"Width":80,"Height":24}` one after the other. What is none is passed over. */
export function readTerminalSizes(stream: Readable, resize: (size: TerminalSize) => void): void {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    for (let end = text.indexOf("}"); end >= 0; end = text.indexOf("}")) {
      const size = parseSize(text.slice(0, end + 1));
      text = text.slice(end + 1);
      if (size) resize(size);
    }
    if (text.length > limitBytes) text = "";
  });
}

function parseSize(text: string): TerminalSize | undefined {
  try {
    const { Width: columns, Height: rows } = JSON.parse(text) as { Width?: unknown; Height?: unknown };
    const isSize = (value: unknown): value is number =>
      Number.isInteger(value) && Number(value) > 0 && Number(value) < 65536;
    return isSize(columns) && isSize(rows) ? { rows, columns } : undefined;
  } catch {
    return undefined;
  }
}
