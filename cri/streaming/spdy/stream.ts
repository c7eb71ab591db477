import { Duplex } from "node:stream";
import type { SpdyHeaders } from "./header-block";

/** What is taken in of one stream before the whole connection waits: SPDY clients written in Go know no window. */
const receiveBytes = 256 << 10;

/** What a stream needs of its connection. */
export interface StreamCarrier {
  /** Calls back once more may be sent. */
  sendData(streamId: number, chunk: Buffer, done: (error?: Error | null) => void): void;
  sendFin(streamId: number): void;
  sendReset(streamId: number): void;
  /** The stream can take more again. */
  unblocked(stream: SpdyStream): void;
  closed(stream: SpdyStream): void;
}

/** One stream of a connection: ending it closes this direction alone, destroying it resets both. */
export class SpdyStream extends Duplex {
  private ownFin = false;
  private peerFin = false;

  constructor(
    private readonly carrier: StreamCarrier,
    readonly streamId: number,
    readonly headers: SpdyHeaders,
  ) {
    super({ allowHalfOpen: true, readableHighWaterMark: receiveBytes, writableHighWaterMark: 64 << 10 });
    // a stream that nobody looks at any more may fail without anybody
    this.on("error", () => {});
  }

  /** Takes in what the peer has sent; false where the connection should wait. */
  receive(chunk: Buffer): boolean {
    return this.peerFin || this.destroyed || this.push(chunk);
  }

  /** The peer sends no more. */
  receiveFin(): void {
    if (this.peerFin) return;
    this.peerFin = true;
    this.push(null);
  }

  /** The peer has no more use for it, in either direction. */
  receiveReset(): void {
    this.peerFin = true;
    this.ownFin = true;
    this.destroy();
  }

  override _read(): void {
    this.carrier.unblocked(this);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.carrier.sendData(this.streamId, chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.ownFin) this.carrier.sendFin(this.streamId);
    this.ownFin = true;
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.ownFin || !this.peerFin) this.carrier.sendReset(this.streamId);
    this.carrier.closed(this);
    done(error);
  }
}
