import { BerthError } from "../../api/errors";

const dataMagic = 0xfd2fb528;
const damaged = (what: string) => new BerthError("InvalidArgument", `the zstd data is damaged: ${what}`);

/**
 * Passes zstd data on in pieces that end where a frame ends, without its skippable frames (RFC 8878, 3.1.2), in which
 * some builders keep an index of the layer. Node's decompressor needs both: what follows a frame's end in the same
 * piece is lost, and the first skippable frame is taken for the end of all. Only frame and block headers are looked at.
 */
export async function* splitFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  /** What is known of the header that is being read, and whether it may yet be left out. */
  let header = Buffer.alloc(0);
  let expected: "frame" | "block" = "frame";
  let checksum = false;
  /** Bytes that go through, or are left out, before the next header. */
  let through = 0;
  let leftOut = 0;
  let lastBlock = false;
  for await (const bytes of source) {
    let at = 0;
    /** From here on the bytes go through, once it is known how far. */
    let from = 0;
    while (at < bytes.length) {
      if (leftOut > 0) {
        const count = Math.min(leftOut, bytes.length - at);
        leftOut -= count;
        at += count;
        from = at;
      } else if (through > 0) {
        const count = Math.min(through, bytes.length - at);
        through -= count;
        at += count;
      } else if (expected === "frame") {
        const before = header.length;
        const start = at;
        const frame = readFrameHeader(Buffer.concat([header, bytes.subarray(at, at + longestHeader)]));
        if (!frame) {
          header = Buffer.concat([header, bytes.subarray(at)]);
          at = bytes.length;
          from = at;
          continue;
        }
        at += frame.headerBytes - before;
        if (frame.skippedBytes !== undefined) {
          leftOut = frame.skippedBytes;
          from = at;
        } else {
          // the part of the header that an earlier piece had was held back
          if (before > 0) yield header;
          from = start;
          checksum = frame.checksum;
          expected = "block";
        }
        header = Buffer.alloc(0);
      } else {
        const count = Math.min(3 - header.length, bytes.length - at);
        header = Buffer.concat([header, bytes.subarray(at, at + count)]);
        at += count;
        if (header.length < 3) continue;
        const word = header.readUIntLE(0, 3);
        header = Buffer.alloc(0);
        const type = (word >> 1) & 3;
        if (type === 3) throw damaged("a block of the reserved type");
        lastBlock = (word & 1) === 1;
        // a run-length block holds one byte, however long it becomes
        through = (type === 1 ? 1 : word >> 3) + (lastBlock && checksum ? 4 : 0);
      }
      if (lastBlock && through === 0) {
        yield bytes.subarray(from, at);
        from = at;
        lastBlock = false;
        expected = "frame";
      }
    }
    if (from < at) yield bytes.subarray(from, at);
  }
  if (through > 0 || leftOut > 0 || header.length > 0 || expected === "block") {
    throw damaged("it ends in the middle of a frame");
  }
}

/** Magic, descriptor, window, dictionary and size. */
const longestHeader = 18;

interface FrameHeader {
  headerBytes: number;
  /** Of a skippable frame alone. */
  skippedBytes?: number;
  checksum: boolean;
}

/** Gives nothing until `start` has a frame's whole header. */
function readFrameHeader(start: Buffer): FrameHeader | undefined {
  if (start.length < 5) return undefined;
  const magic = start.readUInt32LE(0);
  if ((magic & 0xfffffff0) >>> 0 === 0x184d2a50) {
    return start.length < 8 ? undefined : { headerBytes: 8, skippedBytes: start.readUInt32LE(4), checksum: false };
  }
  if (magic !== dataMagic) throw damaged("there is no frame where one should be");
  const descriptor = start[4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeField = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const dictionaryField = [0, 1, 2, 4][descriptor & 3]!;
  const headerBytes = 5 + (singleSegment ? 0 : 1) + dictionaryField + sizeField;
  return start.length < headerBytes ? undefined : { headerBytes, checksum: (descriptor & 4) !== 0 };
}
