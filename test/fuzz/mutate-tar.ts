import type { Material } from "./mutate-bytes";

const blockBytes = 512;
/** Offset and length of the fields of a header. */
const fields: [number, number][] = [
  [0, 100],
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
  [156, 1],
  [157, 100],
  [257, 8],
  [329, 8],
  [337, 8],
  [345, 155],
  [386, 24],
  [482, 1],
  [483, 12],
];
const types = [..."01234567SDLKxgVX"];
const names = [
  "..",
  "../canary/secret",
  "/",
  "a/../../canary/secret",
  ".wh.a",
  "a/.wh.b",
  "a/.wh..wh..opq",
  ".wh..wh..opq",
  ".wh..",
  ".wh...",
  "link",
  "link/x",
  "a/link/x",
  "a",
  "a/b",
  "a//b/",
  "./a",
  "a/b/c/d/e",
  "out/secret",
  "out/new",
  "\xff\xfe",
  `${"n".repeat(99)}`,
];

/** One change of whole blocks or of one field of a header in an archive that starts at `offset`. */
export function mutateTar(input: Buffer, offset: number, { random, other, limitBytes }: Material): Buffer {
  const archive = input.subarray(offset);
  const count = Math.max(1, Math.floor(archive.length / blockBytes));
  const at = random.below(count) * blockBytes;
  const length = (1 + random.length(4)) * blockBytes;
  const blocks = (from: number, drop: number, put: Buffer) =>
    Buffer.concat([input.subarray(0, offset), archive.subarray(0, from), put, archive.subarray(from + drop)]).subarray(
      0,
      limitBytes,
    );
  switch (random.below(8)) {
    case 0:
      return blocks(at, length, Buffer.alloc(0));
    case 1:
      return blocks(random.below(count) * blockBytes, 0, archive.subarray(at, at + length));
    case 2: {
      const from = offset + random.below(Math.max(1, Math.floor(other.length / blockBytes))) * blockBytes;
      return blocks(at, random.chance(2) ? length : 0, other.subarray(from, from + length));
    }
    default: {
      const changed = Buffer.from(archive);
      if (changed.length < at + blockBytes) return Buffer.from(input);
      const [field, width] = random.pick(fields);
      const place = changed.subarray(at + field, at + field + width);
      if (field === 156) place.write(random.pick(types), "latin1");
      else if (field === 0 || field === 157 || field === 345) {
        place.fill(0);
        place.write(random.pick(names), "latin1");
      } else if (random.chance(3)) {
        for (let index = 0; index < width; index++) place[index] = random.below(256);
      } else if (width >= 8) {
        const digits = random.pick([0, 1, 7, 512, 0o644, 0o7777, 65536, 2 ** 21, 2 ** 31, 2 ** 33 - 1, 2 ** 35 - 1]);
        place.write(
          digits
            .toString(8)
            .padStart(width - 1, "0")
            .slice(-width)
            .padEnd(width, "\0"),
          "latin1",
        );
      }
      return Buffer.concat([input.subarray(0, offset), changed]);
    }
  }
}

/** Makes the checksum of each block that looks like a header right, for little lies behind one that is wrong. */
export function repairTar(input: Buffer, offset: number): Buffer {
  const repaired = Buffer.from(input);
  for (let at = offset; at + blockBytes <= repaired.length; at += blockBytes) {
    const block = repaired.subarray(at, at + blockBytes);
    const looksLikeHeader =
      block.toString("latin1", 257, 262) === "ustar" || /^[0-7]{6}\0 $/.test(block.toString("latin1", 148, 156));
    if (!looksLikeHeader) continue;
    block.fill(0x20, 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
  return repaired;
}
