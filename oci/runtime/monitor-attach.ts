import path from "node:path";
import type { Readable } from "node:stream";
import { connectSeqpacket } from "../../sys/seqpacket";

/** The most that conmon takes of one packet (its conn_sock.c, CONN_SOCK_BUF_SIZE, less the byte it ends it with). */
const inputPacketBytes = (32 << 10) - 1;
const stdoutPacket = 2;
const stderrPacket = 3;

/** A connection to a container's streams by way of its monitor (conmon(8), "attach" in the bundle). */
export interface MonitorAttachment {
  /** To be called at once: what has come before is lost. */
  onOutput(receive: (stream: "stdout" | "stderr", chunk: Buffer) => void): void;
  /**
   * Carries input, with back-pressure. At its end the monitor closes the container's stdin, unless it was told to
   * leave that open for the next client.
   */
  readInputFrom(source: Readable): void;
  /** Resolves when the monitor has closed the connection, which it does when the container's output ends. */
  ended: Promise<void>;
  disconnect(): void;
}

export function connectMonitor(bundle: string): MonitorAttachment {
  const socket = connectSeqpacket(path.join(bundle, "attach"));
  const write = (packet: Buffer) =>
    new Promise<boolean>((resolve) => socket.write(packet, (error) => resolve(!error && !socket.destroyed)));
  return {
    onOutput(receive) {
      socket.on("data", (packet: Buffer) => {
        if (packet[0] === stdoutPacket) receive("stdout", packet.subarray(1));
        else if (packet[0] === stderrPacket) receive("stderr", packet.subarray(1));
      });
    },
    readInputFrom(source) {
      const carry = async () => {
        for await (const chunk of source as AsyncIterable<Buffer>) {
          for (let offset = 0; offset < chunk.length; offset += inputPacketBytes) {
            // one at a time: several that wait would leave as one
            if (!(await write(chunk.subarray(offset, offset + inputPacketBytes)))) return;
          }
        }
        socket.end();
      };
      carry().catch(() => {});
    },
    ended: new Promise((resolve) => {
      // ECONNRESET is how conmon ends it with input unread
      socket.on("error", () => resolve());
      socket.on("end", () => resolve());
      socket.on("close", () => resolve());
    }),
    disconnect: () => socket.destroy(),
  };
}
