import { BerthError } from "../../api/errors";

const dataMagic = 0xfd2fb528;
const damaged = (what: string) => new BerthError("InvalidArgument", `the zstd data is damaged: ${what}`);

/**
 * Passes zstd data on without its skippable frames (RFC 8878, 3.1.2), in which some builders keep an index of the
 * layer: Node's decompressor ends at the first of them. Only frame and block headers are looked at.
 */
export async function* withoutSkippableFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let header = Buffer.alloc(0);
  /** Bytes that go through, or are left out, before the next header. */
  let through = 0;
  let leftOut = 0;
  let expected: "frame" | "block" = "frame";
  let checksum = false;
  for await (const bytes of source) {
    let at = 0;
    while (at < bytes.length) {
      if (through > 0 || leftOut > 0) {
        const count = Math.min(through || leftOut, bytes.length - at);
        if (through > 0) {
          yield bytes.subarray(at, at + count);
          through -= count;
        } else leftOut -= count;
        at += count;
        continue;
      }
      header = Buffer.concat([header, bytes.subarray(at, at + 1)]);
      at++;
      if (expected === "frame") {
        const frame = readFrameHeader(header);
        if (!frame) continue;
        if ("skippedBytes" in frame) leftOut = frame.skippedBytes;
        else {
          checksum = frame.checksum;
          expected = "block";
          yield header;
        }
        header = Buffer.alloc(0);
      } else if (header.length === 3) {
        const word = header.readUIntLE(0, 3);
        const type = (word >> 1) & 3;
        if (type === 3) throw damaged("a block of the reserved type");
        // a run-length block holds one byte, however long it becomes
        through = type === 1 ? 1 : word >> 3;
        if (word & 1) {
          expected = "frame";
          if (checksum) through += 4;
        }
        yield header;
        header = Buffer.alloc(0);
      }
    }
  }
  if (through > 0 || leftOut > 0 || header.length > 0 || expected === "block") {
    throw damaged("it ends in the middle of a frame");
  }
}

/** Gives nothing until `header` is a frame's whole header. */
function readFrameHeader(header: Buffer): { skippedBytes: number } | { checksum: boolean } | undefined {
  if (header.length < 5) return undefined;
  const magic = header.readUInt32LE(0);
  if ((magic & 0xfffffff0) >>> 0 === 0x184d2a50) {
    return header.length < 8 ? undefined : { skippedBytes: header.readUInt32LE(4) };
  }
  if (magic !== dataMagic) throw damaged("there is no frame where one should be");
  const descriptor = header[4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeField = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const dictionaryField = [0, 1, 2, 4][descriptor & 3]!;
  const length = 5 + (singleSegment ? 0 : 1) + dictionaryField + sizeField;
  return header.length < length ? undefined : { checksum: (descriptor & 4) !== 0 };
}
