import zlib from "node:zlib";
import { BerthError } from "../../../api/errors";
import { headerDictionary } from "./header-dictionary";

/** What the headers of one stream may come to, uncompressed; those of Kubernetes are under 200 bytes. */
const limitBytes = 16 << 10;
const limitHeaders = 64;

export type SpdyHeaders = Map<string, string>;

/** Reads the headers of one connection: all its blocks are one zlib stream (draft 3.1, 2.6.10). */
export class HeaderReader {
  private readonly inflate = zlib.createInflate({
    dictionary: headerDictionary,
    finishFlush: zlib.constants.Z_SYNC_FLUSH,
    flush: zlib.constants.Z_SYNC_FLUSH,
  });
  private chunks: Buffer[] = [];
  private size = 0;
  private fail: ((error: Error) => void) | undefined;

  constructor() {
    this.inflate.on("data", (chunk: Buffer) => {
      this.size += chunk.length;
      if (this.size > limitBytes) {
        this.inflate.destroy(new BerthError("InvalidArgument", `SPDY headers of more than ${limitBytes} bytes`));
      } else this.chunks.push(chunk);
    });
    this.inflate.on("error", (error) => this.fail?.(error));
    this.inflate.on("close", () => this.fail?.(new BerthError("Cancelled", "the connection has ended")));
  }

  /** One block at a time. Rejects on what is no header block or too large; the connection is then of no use. */
  async read(block: Buffer): Promise<SpdyHeaders> {
    this.chunks = [];
    this.size = 0;
    await new Promise<void>((resolve, reject) => {
      this.fail = reject;
      this.inflate.write(block, () => {
        // what is still held is handed on by looking for it
        while (this.inflate.read() !== null);
        resolve();
      });
    });
    this.fail = undefined;
    return parseHeaders(Buffer.concat(this.chunks));
  }

  close(): void {
    this.inflate.destroy();
  }
}

/** Name and value pairs, names in lower case; throws on a block that does not add up. */
export function parseHeaders(block: Buffer): SpdyHeaders {
  const headers: SpdyHeaders = new Map();
  let offset = 0;
  const number = () => {
    if (offset + 4 > block.length) throw new BerthError("InvalidArgument", "SPDY headers end too early");
    offset += 4;
    return block.readUInt32BE(offset - 4);
  };
  const text = () => {
    const length = number();
    if (length > block.length - offset) throw new BerthError("InvalidArgument", "SPDY headers end too early");
    offset += length;
    return block.toString("utf8", offset - length, offset);
  };
  const count = number();
  if (count > limitHeaders) throw new BerthError("InvalidArgument", `more than ${limitHeaders} SPDY headers`);
  for (let i = 0; i < count; i++) {
    const name = text().toLowerCase();
    headers.set(name, text());
  }
  return headers;
}

const zlibStart = Buffer.from("78bbe3c6a7c2", "hex");
// four bytes that say "no headers", stored as they are, and the empty block that Go's reader waits for
const noHeaders = Buffer.from("000400fbff00000000000000ffff", "hex");

/** A block with no headers in it, for the first reply of a connection or a later one; no compressor is needed. */
export const emptyHeaderBlock = (first: boolean): Buffer => (first ? Buffer.concat([zlibStart, noHeaders]) : noHeaders);
