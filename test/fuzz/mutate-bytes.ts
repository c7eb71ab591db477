import type { Random } from "./random";

export interface Material {
  random: Random;
  /** Words worth trying. */
  dictionary: readonly Buffer[];
  /** Pairs that were compared and differed in earlier runs: who has one may want the other. */
  compared: readonly (readonly [string, string])[];
  /** Another input, to take parts of. */
  other: Buffer;
  limitBytes: number;
}

const oddBytes = [0, 1, 0x0a, 0x20, 0x2e, 0x2f, 0x7f, 0x80, 0xc3, 0xff];
const oddNumbers = [
  "0",
  "-1",
  "1",
  "255",
  "65536",
  "2147483648",
  "4294967295",
  "4294967296",
  "9007199254740993",
  "18446744073709551616",
  "1e400",
  "00000000000000000001",
  "0777",
];

/** One small change of an input of any form. */
export function mutateBytes(input: Buffer, material: Material): Buffer {
  const { random, dictionary, compared, other, limitBytes } = material;
  const at = random.below(input.length + 1);
  const count = Math.min(input.length - at, 1 + random.length(256));
  const cut = (from: number, bytes: number, put: Buffer) =>
    Buffer.concat([input.subarray(0, from), put, input.subarray(from + bytes)]).subarray(0, limitBytes);
  switch (random.below(13)) {
    case 0: {
      const changed = Buffer.from(input);
      if (at < changed.length) changed[at] = changed[at]! ^ (1 << random.below(8));
      return changed;
    }
    case 1:
      return cut(at, Math.min(1, input.length - at), Buffer.from([random.pick(oddBytes)]));
    case 2: {
      const changed = Buffer.from(input);
      if (at < changed.length) changed[at] = changed[at]! + random.below(33) - 16;
      return changed;
    }
    case 3: {
      const width = random.pick([2, 3, 4]);
      const changed = Buffer.from(input);
      if (at + width > changed.length) return changed;
      const value = random.pick([0, 1, width, changed.length - at, 0x7fff, 2 ** (width * 8) - 1]) % 2 ** (width * 8);
      if (random.chance(2)) changed.writeUIntBE(value, at, width);
      else changed.writeUIntLE(value, at, width);
      return changed;
    }
    case 4:
      return cut(at, count, Buffer.alloc(0));
    case 5:
      return cut(at, 0, input.subarray(at, at + count));
    case 6: {
      const from = random.below(input.length + 1);
      return cut(at, random.chance(2) ? count : 0, input.subarray(from, from + count));
    }
    case 7: {
      const from = random.below(other.length + 1);
      return cut(at, random.chance(2) ? count : 0, other.subarray(from, from + 1 + random.length(other.length)));
    }
    case 8:
    case 9: {
      if (dictionary.length === 0) return Buffer.from(input);
      const word = random.pick(dictionary);
      return cut(at, random.chance(2) ? Math.min(word.length, input.length - at) : 0, word);
    }
    case 10: {
      const numbers = [...input.toString("latin1").matchAll(/\d+/g)].slice(0, 512);
      if (numbers.length === 0) return Buffer.from(input);
      const found = random.pick(numbers);
      return cut(found.index, found[0].length, Buffer.from(random.pick(oddNumbers)));
    }
    case 11: {
      if (compared.length === 0) return Buffer.from(input);
      const pair = random.pick(compared);
      // as bytes: Node's search for a text ends the process where that has half a surrogate pair
      const [from, to] = (random.chance(2) ? pair : pair.toReversed()).map((word) => Buffer.from(word));
      const found = input.indexOf(from!);
      return found < 0 ? cut(at, 0, to!) : cut(found, from!.length, to!);
    }
    default: {
      const part = input.subarray(at, at + count);
      if (part.length === 0) return Buffer.from(input);
      const times = 2 + random.length(Math.max(2, Math.min(4096, limitBytes / part.length)));
      return cut(at, part.length, Buffer.concat(Array.from({ length: times }, () => part)));
    }
  }
}
