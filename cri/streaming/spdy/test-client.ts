import type { Duplex } from "node:stream";
import zlib from "node:zlib";
import {
  ControlType,
  controlFrame,
  dataHeader,
  FLAG_FIN,
  type FrameHeader,
  headerBytes,
  readFrameHeader,
} from "./frames";
import { headerDictionary } from "./header-dictionary";

export interface ReceivedFrame extends FrameHeader {
  payload: Buffer;
}

/** The client's side of SPDY as tests need it: it writes what it is told to, right or wrong. */
export class TestSpdyClient {
  readonly frames: ReceivedFrame[] = [];
  private readonly deflate = zlib.createDeflate({ dictionary: headerDictionary });
  private pending: Buffer = Buffer.alloc(0);
  private nextId = 1;

  constructor(readonly transport: Duplex) {
    transport.on("error", () => {});
    transport.on("data", (chunk: Buffer) => {
      this.pending = Buffer.concat([this.pending, chunk]);
      while (this.pending.length >= headerBytes) {
        const header = readFrameHeader(this.pending);
        if (this.pending.length < headerBytes + header.length) return;
        this.frames.push({ ...header, payload: this.pending.subarray(headerBytes, headerBytes + header.length) });
        this.pending = this.pending.subarray(headerBytes + header.length);
      }
    });
  }

  /** Opens a stream; gives its number. */
  async open(headers: Record<string, string>, streamId = this.nextId): Promise<number> {
    this.nextId = streamId + 2;
    const start = Buffer.alloc(10);
    start.writeUInt32BE(streamId, 0);
    const block = await this.compress(headerBlock(headers));
    this.transport.write(controlFrame(ControlType.SYN_STREAM, Buffer.concat([start, block])));
    return streamId;
  }

  send(streamId: number, bytes: Buffer | string, fin = false): void {
    const payload = Buffer.from(bytes as string);
    this.transport.write(dataHeader(streamId, fin ? FLAG_FIN : 0, payload.length));
    this.transport.write(payload);
  }

  control(type: number, payload: Buffer): void {
    this.transport.write(controlFrame(type, payload));
  }

  /** What has come on a stream so far. */
  received(streamId: number): Buffer {
    return Buffer.concat(this.frames.filter((f) => !f.control && f.streamId === streamId).map((f) => f.payload));
  }

  hasFin(streamId: number): boolean {
    return this.frames.some((f) => !f.control && f.streamId === streamId && (f.flags & FLAG_FIN) !== 0);
  }

  controls(type: number): Buffer[] {
    return this.frames.filter(({ control }) => control?.type === type).map(({ payload }) => payload);
  }

  private compress(block: Buffer): Promise<Buffer> {
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      const collect = (chunk: Buffer) => chunks.push(chunk);
      this.deflate.on("data", collect);
      this.deflate.write(block);
      this.deflate.flush(zlib.constants.Z_SYNC_FLUSH, () => {
        this.deflate.off("data", collect);
        resolve(Buffer.concat(chunks));
      });
    });
  }
}

export function headerBlock(headers: Record<string, string>): Buffer {
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const text = (value: string) => Buffer.concat([number(Buffer.byteLength(value)), Buffer.from(value)]);
  const entries = Object.entries(headers);
  return Buffer.concat([number(entries.length), ...entries.flatMap(([name, value]) => [text(name), text(value)])]);
}
