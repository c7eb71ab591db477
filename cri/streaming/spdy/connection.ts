import type { Duplex } from "node:stream";
import { BerthError } from "../../../api/errors";
import {
  ControlType,
  controlFrame,
  dataHeader,
  FLAG_FIN,
  type FrameHeader,
  headerBytes,
  ResetReason,
  readFrameHeader,
  replyFrame,
  resetFrame,
} from "./frames";
import { emptyHeaderBlock, HeaderReader } from "./header-block";
import { RateLimit } from "./rate-limit";
import { SpdyStream, type StreamCarrier } from "./stream";

/** The most bytes of one control frame; only headers have any length to speak of. */
const controlLimitBytes = 16 << 10;
/** What one data frame of ours holds, so that streams take turns. */
const dataFrameBytes = 32 << 10;
/** Control frames that a client may send at once, and a second from then on: resets and pings by the thousand end it. */
const controlBurst = 10_000;
const controlPerSecond = 2_000;
/** Replies to control frames that may wait for a client which does not read. */
const replyLimitBytes = 64 << 10;
/** How long what is left in the socket may take to reach a client after the end. */
const lingerMs = 10_000;

export interface SpdyOptions {
  maxStreams: number;
  onStream(stream: SpdyStream): void;
  /** Called once, when nothing comes or goes any more; with the reason where that was not our own end(). */
  onClose(error: Error | undefined): void;
}

/**
 * The server's side of one SPDY/3.1 connection over any byte stream. There is no window in either direction, since
 * clients written in Go (moby/spdystream) neither keep nor send one: where a stream can take no more, reading stops,
 * and what is sent waits for the transport.
 */
export class SpdyConnection implements StreamCarrier {
  private readonly streams = new Map<number, SpdyStream>();
  private readonly headers = new HeaderReader();
  private readonly controls = new RateLimit(controlBurst, controlPerSecond);
  private readonly blocked = new Set<SpdyStream>();
  private readonly waiting: (() => void)[] = [];
  private pending: Buffer = Buffer.alloc(0);
  /** The data frame whose payload is coming in. */
  private data: { streamId: number; flags: number; left: number } | undefined;
  private lastStreamId = 0;
  private replied = false;
  private readingHeaders = false;
  private replyBytes = 0;
  private ending = false;
  private closedWith: { error: Error | undefined } | undefined;

  constructor(
    private readonly transport: Duplex,
    private readonly options: SpdyOptions,
  ) {
    transport.on("data", (chunk: Buffer) => {
      this.pending = this.pending.length > 0 ? Buffer.concat([this.pending, chunk]) : chunk;
      this.parse();
    });
    transport.on("drain", () => {
      for (const done of this.waiting.splice(0)) done();
    });
    transport.on("error", (error) => this.destroy(error));
    transport.on("end", () => this.destroy(goneError()));
    transport.on("close", () => this.destroy(goneError()));
  }

  /** No more is sent; what is on its way arrives, and what the client still sends is dropped until it closes. */
  end(): void {
    if (this.ending || this.closedWith) return;
    this.ending = true;
    for (const stream of this.streams.values()) stream.destroy();
    this.transport.end();
    // a socket closed with bytes unread is reset, and takes with it what the client has not read yet
    this.transport.resume();
    setTimeout(() => this.destroy(), lingerMs).unref();
  }

  /** Ends everything at once. */
  destroy(error?: Error): void {
    if (this.closedWith) return;
    this.closedWith = { error: this.ending ? undefined : error };
    this.headers.close();
    this.transport.destroy();
    for (const stream of [...this.streams.values()]) stream.destroy(error);
    for (const done of this.waiting.splice(0)) done();
    this.pending = Buffer.alloc(0);
    this.options.onClose(this.closedWith.error);
  }

  sendData(streamId: number, chunk: Buffer, done: (error?: Error | null) => void): void {
    if (this.closedWith || this.ending) {
      done(goneError());
      return;
    }
    this.transport.cork();
    for (let offset = 0; offset < chunk.length; offset += dataFrameBytes) {
      const part = chunk.subarray(offset, offset + dataFrameBytes);
      this.transport.write(dataHeader(streamId, 0, part.length));
      this.transport.write(part);
    }
    this.transport.uncork();
    if (!this.transport.writableNeedDrain) {
      done();
      return;
    }
    this.waiting.push(() => done(this.closedWith ? goneError() : null));
  }

  sendFin(streamId: number): void {
    if (!this.closedWith && !this.ending) this.transport.write(dataHeader(streamId, FLAG_FIN, 0));
  }

  sendReset(streamId: number): void {
    this.reply(resetFrame(streamId, ResetReason.CANCEL));
  }

  unblocked(stream: SpdyStream): void {
    if (this.blocked.delete(stream)) this.resume();
  }

  closed(stream: SpdyStream): void {
    this.streams.delete(stream.streamId);
    if (this.blocked.delete(stream)) this.resume();
  }

  private resume(): void {
    if (this.blocked.size > 0 || this.closedWith) return;
    this.transport.resume();
    // not from within a read of the stream that has just made room
    setImmediate(() => this.parse());
  }

  private reply(frame: Buffer): void {
    if (this.closedWith || this.ending) return;
    this.replyBytes += frame.length;
    if (this.replyBytes > replyLimitBytes) {
      this.refuse("a client sends frames and reads no answers");
      return;
    }
    this.transport.write(frame, () => {
      this.replyBytes -= frame.length;
    });
  }

  private refuse(message: string): void {
    this.destroy(new BerthError("InvalidArgument", message));
  }

  private parse(): void {
    while (!this.closedWith && !this.readingHeaders && this.blocked.size === 0 && this.pending.length > 0) {
      // after the end nothing is of interest, and nothing must pile up
      if (this.ending) {
        this.pending = Buffer.alloc(0);
      } else if (this.data) {
        this.takeData(this.data);
      } else {
        if (this.pending.length < headerBytes) break;
        const frame = readFrameHeader(this.pending);
        if (!frame.control) {
          this.pending = this.pending.subarray(headerBytes);
          this.startData(frame);
        } else {
          if (frame.length > controlLimitBytes) {
            this.refuse(`a SPDY control frame of ${frame.length} bytes`);
            return;
          }
          if (this.pending.length < headerBytes + frame.length) break;
          const payload = this.pending.subarray(headerBytes, headerBytes + frame.length);
          this.pending = this.pending.subarray(headerBytes + frame.length);
          this.takeControl(frame, payload);
        }
      }
    }
    const mustWait = this.blocked.size > 0 || this.readingHeaders;
    if (mustWait && !this.transport.isPaused() && !this.closedWith) this.transport.pause();
  }

  private startData({ streamId, flags, length }: FrameHeader): void {
    // frames without anything in them cost as much as control frames
    if (length === 0 && !this.controls.take()) {
      this.refuse("too many empty SPDY frames");
      return;
    }
    const stream = this.streams.get(streamId);
    // one that was reset meanwhile may still have bytes on their way; one that never was is an error
    if (!stream && streamId > this.lastStreamId) this.reply(resetFrame(streamId, ResetReason.INVALID_STREAM));
    if (length > 0) this.data = { streamId, flags, left: length };
    else if (flags & FLAG_FIN) stream?.receiveFin();
  }

  private takeData(data: { streamId: number; flags: number; left: number }): void {
    const chunk = this.pending.subarray(0, data.left);
    this.pending = this.pending.subarray(chunk.length);
    data.left -= chunk.length;
    const stream = this.streams.get(data.streamId);
    if (stream && !stream.receive(chunk)) this.blocked.add(stream);
    if (data.left > 0) return;
    this.data = undefined;
    if (data.flags & FLAG_FIN) stream?.receiveFin();
  }

  private takeControl({ control, flags }: FrameHeader, payload: Buffer): void {
    if (!this.controls.take()) {
      this.refuse("too many SPDY control frames");
      return;
    }
    if (control!.version !== 3) {
      this.refuse(`SPDY version ${control!.version}`);
      return;
    }
    const needed = { [ControlType.SYN_STREAM]: 10, [ControlType.RST_STREAM]: 8, [ControlType.PING]: 4 }[control!.type];
    if (payload.length < (needed ?? (control!.type === ControlType.HEADERS ? 4 : 0))) {
      this.refuse("a SPDY control frame ends too early");
      return;
    }
    switch (control!.type) {
      case ControlType.SYN_STREAM:
        this.readHeaders(payload.subarray(10), (headers) =>
          this.openStream(payload.readUInt32BE(0) & 0x7fffffff, flags, headers),
        );
        return;
      case ControlType.HEADERS:
        // its contents are of no use, but the compression runs on through them
        this.readHeaders(payload.subarray(4), () => {
          if (flags & FLAG_FIN) this.streams.get(payload.readUInt32BE(0) & 0x7fffffff)?.receiveFin();
        });
        return;
      case ControlType.RST_STREAM:
        this.streams.get(payload.readUInt32BE(0) & 0x7fffffff)?.receiveReset();
        return;
      case ControlType.PING:
        // odd numbers are the client's; it would answer ours
        if (payload.readUInt32BE(0) & 1) this.reply(controlFrame(ControlType.PING, payload.subarray(0, 4)));
        return;
      default:
      // SETTINGS, GOAWAY and WINDOW_UPDATE ask for nothing
    }
  }

  private readHeaders(block: Buffer, use: (headers: Map<string, string>) => void): void {
    this.readingHeaders = true;
    this.headers.read(block).then(
      (headers) => {
        if (this.closedWith) return;
        use(headers);
        this.readingHeaders = false;
        this.resume();
      },
      (error) => this.destroy(error),
    );
  }

  private openStream(streamId: number, flags: number, headers: Map<string, string>): void {
    if (this.ending) return;
    if (streamId <= this.lastStreamId || streamId % 2 === 0) {
      this.reply(resetFrame(streamId, ResetReason.PROTOCOL_ERROR));
      return;
    }
    this.lastStreamId = streamId;
    if (this.streams.size >= this.options.maxStreams) {
      this.reply(resetFrame(streamId, ResetReason.REFUSED_STREAM));
      return;
    }
    const stream = new SpdyStream(this, streamId, headers);
    this.streams.set(streamId, stream);
    this.reply(replyFrame(streamId, emptyHeaderBlock(!this.replied)));
    this.replied = true;
    this.options.onStream(stream);
    if (flags & FLAG_FIN) stream.receiveFin();
  }
}

const goneError = () => new BerthError("Cancelled", "the client has gone");
