import type { Client } from "../client/client";
import { size } from "./table";

const barWidth = 24;
const drawEveryMs = 100;

interface Layer {
  state: string;
  done: number;
  total: number;
}

/**
 * Pulls an image and returns its ID. On a terminal there is a bar for each layer, drawn anew in place; elsewhere one
 * line at the end, so that logs stay readable.
 */
export async function pullWithProgress(
  client: Client,
  image: string,
  out: NodeJS.WriteStream = process.stderr,
): Promise<string> {
  const abort = new AbortController();
  const layers = new Map<string, Layer>();
  const start = performance.now();
  let drawn = 0;
  let drawnAtMs = 0;
  let id = "";
  const interrupted = () => abort.abort();
  process.once("SIGINT", interrupted);
  try {
    for await (const event of client.stream("Pull", { image }, abort.signal)) {
      if (event.imageId) id = event.imageId;
      else
        layers.set(event.digest, {
          state: event.state,
          done: Number(event.doneBytes),
          total: Number(event.totalBytes),
        });
      if (!out.isTTY || (!id && performance.now() - drawnAtMs < drawEveryMs)) continue;
      drawn = draw(out, layers, drawn);
      drawnAtMs = performance.now();
    }
  } finally {
    process.off("SIGINT", interrupted);
  }
  const bytes = [...layers.values()].reduce((sum, layer) => sum + layer.total, 0);
  out.write(`pulled ${image} (${size(bytes)}) in ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
  return id;
}

/** Draws over the `before` lines of the last time; returns how many there are now. */
function draw(out: NodeJS.WriteStream, layers: Map<string, Layer>, before: number): number {
  const shown = [...layers].slice(0, Math.max(1, (out.rows || 24) - 2));
  const lines = shown.map(([digest, layer]) => `\x1b[2K${digest.replace("sha256:", "").slice(0, 12)}  ${bar(layer)}\n`);
  out.write(`${before > 0 ? `\x1b[${before}A` : ""}${lines.join("")}`);
  return lines.length;
}

export function bar({ state, done, total }: Layer): string {
  const share = total > 0 ? Math.min(1, done / total) : state === "done" ? 1 : 0;
  const full = Math.round(share * barWidth);
  return `[${"=".repeat(full)}${" ".repeat(barWidth - full)}] ${state.padEnd(11)} ${size(done)}/${size(total)}`;
}
