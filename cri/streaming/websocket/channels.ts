import { Readable, Writable } from "node:stream";
import type { WebSocket } from "ws";
import { BerthError, messageOf } from "../../../api/errors";
import { type ChannelProtocol, decodeMessage, encodeMessage } from "./channel-protocols";

/** What is taken in of one channel before the client has to wait. */
const receiveBytes = 256 << 10;
/** Answers to pings that may wait for a client that does not read. */
const unsentLimitBytes = 8 << 20;

/** Channels over one WebSocket, with TCP's back-pressure both ways. */
export class Channels {
  private readonly readers = new Map<number, Readable>();
  private readonly writers: Writable[] = [];
  private readonly full = new Set<Readable>();
  private readonly goneController = new AbortController();

  constructor(
    private readonly socket: WebSocket,
    private readonly protocol: ChannelProtocol,
  ) {
    socket.on("message", (message: Buffer) => this.receive(message));
    socket.on("ping", () => {
      if (socket.bufferedAmount > unsentLimitBytes) socket.terminate();
    });
    socket.on("error", () => socket.terminate());
    socket.on("close", () => {
      const error = new BerthError("Cancelled", "the client has gone");
      this.goneController.abort(error);
      for (const reader of this.readers.values()) reader.destroy();
      for (const writer of this.writers) writer.destroy(error);
    });
  }

  /** Aborts when the connection has ended, whoever ended it. */
  get gone(): AbortSignal {
    return this.goneController.signal;
  }

  /** What the client sends on a channel; messages on channels that nobody reads are dropped. */
  reader(channel: number): Readable {
    const reader: Readable = new Readable({ highWaterMark: receiveBytes, read: () => this.hasRoom(reader) });
    reader.on("close", () => this.hasRoom(reader));
    reader.on("error", () => {});
    this.readers.set(channel, reader);
    return reader;
  }

  /** Bytes for the client on a channel; a chunk counts as written once the kernel has it. */
  writer(channel: number): Writable {
    const writer = new Writable({
      highWaterMark: 64 << 10,
      write: (chunk: Buffer, _encoding, done) => this.send(channel, chunk, done),
    });
    writer.on("error", () => {});
    this.writers.push(writer);
    return writer;
  }

  /** An empty message, which tells the client that it is served. */
  greet(channel: number): void {
    this.send(channel, Buffer.alloc(0), () => {});
  }

  close(): void {
    // a client that is not read from could not answer the close
    this.socket.resume();
    this.socket.close(1000);
  }

  private send(channel: number, bytes: Buffer, done: (error?: Error | null) => void): void {
    this.socket.send(encodeMessage(this.protocol, channel, bytes), done);
  }

  private receive(message: Buffer): void {
    let decoded: ReturnType<typeof decodeMessage>;
    try {
      decoded = decodeMessage(this.protocol, message);
    } catch (error) {
      this.socket.close(1002, messageOf(error).slice(0, 100));
      return;
    }
    if (!decoded) return;
    if ("closed" in decoded) {
      const reader = this.readers.get(decoded.closed);
      if (reader && !reader.readableEnded && !reader.destroyed) reader.push(null);
      this.readers.delete(decoded.closed);
      return;
    }
    const reader = this.readers.get(decoded.channel);
    if (!reader || reader.destroyed || decoded.bytes.length === 0 || reader.push(decoded.bytes)) return;
    this.full.add(reader);
    this.socket.pause();
  }

  private hasRoom(reader: Readable): void {
    if (this.full.delete(reader) && this.full.size === 0) this.socket.resume();
  }
}
