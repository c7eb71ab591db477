import { Readable } from "node:stream";
import { constants, createZstdDecompress, zstdCompressSync } from "node:zlib";
import { splitFrames } from "./zstd-frames";

const skippable = (length: number) => {
  const frame = Buffer.alloc(8 + length, 0x28);
  frame.writeUInt32LE(0x184d2a5e, 0);
  frame.writeUInt32LE(length, 4);
  return frame;
};

async function* pieces(data: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += length) yield data.subarray(at, at + length);
}

async function filtered(data: Buffer, length = data.length): Promise<Buffer[]> {
  const out: Buffer[] = [];
  for await (const bytes of splitFrames(pieces(data, length))) out.push(Buffer.from(bytes));
  return out;
}

async function decompressed(parts: Buffer[]): Promise<Buffer> {
  const out: Buffer[] = [];
  for await (const bytes of Readable.from(parts).pipe(createZstdDecompress())) out.push(bytes as Buffer);
  return Buffer.concat(out);
}

const noise = (length: number) => Buffer.from(Array.from({ length }, (_, index) => (index * index * 7) & 0xff));
const content = [Buffer.alloc(300_000, "abc"), noise(200_000), Buffer.alloc(1 << 18, "d"), Buffer.alloc(0), noise(1)];
const withChecksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
const frames = content.map((each, index) => zstdCompressSync(each, index % 2 ? withChecksum : {}));

test.each([1, 13, 1000, 1 << 20])("splitFrames() leaves the data when it comes %d bytes at a time", async (length) => {
  const mixed = [skippable(5), frames[0]!, skippable(0), skippable(70_000), ...frames.slice(1), skippable(9)];
  const left = await filtered(Buffer.concat(mixed), length);
  expect(Buffer.concat(left).equals(Buffer.concat(frames))).toBe(true);
  expect((await decompressed(left)).equals(Buffer.concat(content))).toBe(true);
});

test.each([
  ["it is cut short", frames[0]!.subarray(0, -5)],
  ["rubbish follows", Buffer.concat([frames[0]!, Buffer.from("rubbish")])],
])("splitFrames() refuses the data when %s", async (_, data) => {
  await expect(filtered(data)).rejects.toMatchObject({ code: "InvalidArgument" });
});
