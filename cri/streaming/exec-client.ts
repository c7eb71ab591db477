import type { Readable, Writable } from "node:stream";
import { WebSocket } from "ws";
import { BerthError } from "../../api/errors";
import { channelProtocols, decodeMessage, encodeMessage } from "./websocket/channel-protocols";

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
const protocol = channelProtocols[0]!;

export interface ExecStreams {
  /** Absent for none. */
  stdin?: Readable;
  stdout: Writable;
  /** Not used with a terminal. */
  stderr: Writable;
  /** Of the terminal; absent for none. */
  sizes?: AsyncIterable<{ columns: number; rows: number }>;
}

/**
 * Runs what an Exec answer's URL stands for, over a WebSocket (Kubernetes' v5.channel.k8s.io). Returns the command's
 * exit code. Throws what the daemon says where it could not be run or watched to its end.
 */
export async function runExec(url: string, streams: ExecStreams): Promise<number> {
  // a certificate is for the name that others know the node by; this URL came from the daemon itself
  const socket = new WebSocket(url.replace(/^http/, "ws"), protocol.name, { rejectUnauthorized: false });
  let outcome: Outcome | undefined;
  const closed = new Promise<void>((resolve, reject) => {
    socket.once("close", () => resolve());
    socket.once("error", (error) => reject(new BerthError("Unavailable", `the stream: ${error.message}`)));
  });
  socket.on("message", (data: Buffer) => {
    const message = decodeMessage(protocol, data);
    if (!message || !("bytes" in message)) return;
    const { channel, bytes } = message;
    if (channel === channels.error) outcome = JSON.parse(bytes.toString("utf8")) as Outcome;
    else {
      const out = channel === channels.stdout ? streams.stdout : streams.stderr;
      // who reads slowly slows the command, not the memory
      if (!out.write(bytes)) {
        socket.pause();
        out.once("drain", () => socket.resume());
      }
    }
  });
  await Promise.race([new Promise<void>((resolve) => socket.once("open", () => resolve())), closed]);
  const send = (channel: number, bytes: Buffer) =>
    new Promise<void>((resolve) => socket.send(encodeMessage(protocol, channel, bytes), () => resolve()));
  const onData = (bytes: Buffer) => {
    streams.stdin?.pause();
    send(channels.stdin, bytes).then(() => streams.stdin?.resume());
  };
  // the signal of v5 that a channel has ended
  const onEnd = () => socket.send(Buffer.from([255, channels.stdin]), () => {});
  streams.stdin?.on("data", onData).once("end", onEnd);
  if (streams.sizes) forwardSizes(streams.sizes, (bytes) => send(channels.resize, bytes));
  try {
    await closed;
  } finally {
    streams.stdin?.off("data", onData).off("end", onEnd).pause();
  }
  return exitCodeOf(outcome);
}

/** A metav1.Status. */
interface Outcome {
  status?: string;
  message?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
}

function exitCodeOf(outcome: Outcome | undefined): number {
  if (outcome?.status === "Success") return 0;
  const code = outcome?.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  if (code !== undefined) return Number(code);
  throw new BerthError("Unknown", outcome?.message ?? "the stream ended before the command did");
}

async function forwardSizes(
  sizes: AsyncIterable<{ columns: number; rows: number }>,
  send: (bytes: Buffer) => Promise<void>,
): Promise<void> {
  for await (const { columns, rows } of sizes)
    await send(Buffer.from(JSON.stringify({ Width: columns, Height: rows })));
}
