import fs from "node:fs";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { BerthError, messageOf } from "../../api/errors";
import { splitFrames } from "./zstd-frames";

export type Compression = "gzip" | "zstd" | "none";

const read = promisify(fs.read);
const readBytes = 1 << 18;
/** Inflated bytes wait in memory up to this, so that inflating goes on while the last piece is written. */
const aheadBytes = 1 << 20;

/**
 * What `start`, the first bytes of a blob, is compressed with. Media types are wrong often enough, and the digest of
 * the layer's tar decides in the end.
 */
export function compressionOf(start: Buffer): Compression {
  if (start[0] === 0x1f && start[1] === 0x8b) return "gzip";
  if (start.length < 4) return "none";
  const magic = start.readUInt32LE(0);
  return magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50 ? "zstd" : "none";
}

/** Reads the file behind `fd` from its start without moving its position or closing it; 256 KiB at a time. */
export async function* readDescriptor(fd: number): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    const { buffer, bytesRead } = await read(fd, { buffer: Buffer.allocUnsafe(readBytes), position });
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

/**
 * The bytes of the file behind `fd`, decompressed, in pieces of up to 256 KiB. Ends with InvalidArgument where the
 * compressed data is damaged or cut short.
 */
export async function* decompressed(fd: number): AsyncGenerator<Buffer> {
  const start = Buffer.alloc(8);
  const compression = compressionOf(start.subarray(0, fs.readSync(fd, start, 0, start.length, 0)));
  const source = readDescriptor(fd);
  if (compression === "none") {
    yield* source;
    return;
  }
  const options = { chunkSize: readBytes, readableHighWaterMark: aheadBytes, highWaterMark: aheadBytes };
  const inflate = compression === "zstd" ? createZstdDecompress(options) : createGunzip(options);
  const input = Readable.from(compression === "zstd" ? splitFrames(source) : source);
  input.on("error", (error) => inflate.destroy(error));
  try {
    yield* input.pipe(inflate) as AsyncIterable<Buffer>;
  } catch (error) {
    if (!/^(Z_|ZSTD_|ERR_ZSTD)/.test((error as { code?: string }).code ?? "")) throw error;
    throw new BerthError("InvalidArgument", `the ${compression} data is damaged: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    input.destroy();
    inflate.destroy();
  }
}
