import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";
import { compressionOf, decompressed } from "../../../images/unpack/decompress";
import { splitFrames } from "../../../images/unpack/zstd-frames";
import { workDirectory as directory } from "../canary";
import { checkError } from "../check-error";
import { type FuzzTarget, promise } from "../target";

const file = path.join(directory, "blob");
/** Where the daemon's own limit on what a layer unpacks to would end it. */
const limitBytes = 32 << 20;

/** Compressed layers: what comes out does not depend on the pieces that it comes in, and all memory is bounded. */
export const target: FuzzTarget = {
  seeds,
  async run(input) {
    fs.writeFileSync(file, input);
    const fd = fs.openSync(file, "r");
    try {
      let total = 0;
      for await (const bytes of decompressed(fd)) {
        total += bytes.length;
        if (total > limitBytes) break;
      }
    } catch (error) {
      check(error);
    } finally {
      fs.closeSync(fd);
    }
    if (compressionOf(input) !== "zstd") return;
    const whole = await frames(input, input.length);
    const inPieces = await frames(input, 1 + (input[input.length - 1]! % 32));
    promise(whole.equals(inPieces), () => "what is left of zstd frames depends on the pieces that they come in");
  },
};

/** What goes through, and a word for how it ended. */
async function frames(input: Buffer, pieceBytes: number): Promise<Buffer> {
  async function* pieces() {
    for (let at = 0; at < input.length; at += pieceBytes) yield input.subarray(at, at + pieceBytes);
  }
  const out: Buffer[] = [];
  try {
    for await (const bytes of splitFrames(pieces())) out.push(Buffer.from(bytes));
  } catch (error) {
    check(error);
    return Buffer.from("refused");
  }
  return Buffer.concat(out);
}

function check(error: unknown): void {
  checkError(error, ["InvalidArgument"]);
}

function seeds(): Buffer[] {
  const content = Buffer.from("some content ".repeat(100));
  const frame = zlib.zstdCompressSync(content);
  const checked = zlib.zstdCompressSync(content, { params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } });
  const skipped = Buffer.concat([Buffer.from("5e2a4d1803000000", "hex"), Buffer.from("abc")]);
  return [
    zlib.gzipSync(content),
    Buffer.concat([zlib.gzipSync(content), zlib.gzipSync("more")]),
    frame,
    checked,
    Buffer.concat([skipped, frame, skipped, checked]),
    zlib.zstdCompressSync(Buffer.alloc(300_000)),
    zlib.gzipSync(Buffer.alloc(300_000)),
    content,
  ];
}
