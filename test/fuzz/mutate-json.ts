import type { Material } from "./mutate-bytes";
import type { Random } from "./random";

type Holder = Record<string | number, unknown>;
interface Place {
  holder: Holder;
  key: string | number;
}

const oddValues: (() => unknown)[] = [
  () => null,
  () => true,
  () => false,
  () => 0,
  () => -1,
  () => 1.5,
  () => 2 ** 31,
  () => 2 ** 32,
  () => 2 ** 53,
  () => 1e300,
  () => "",
  () => "..",
  () => "../../x",
  () => "/",
  () => "a\u0000b",
  () => "\ud800",
  () => "\u001b[31m",
  () => "x".repeat(300),
  () => "x".repeat(70_000),
  () => [],
  () => [null],
  () => [[]],
  () => ({}),
  () => ({ toString: 1 }),
  () => ({ length: 3 }),
  () => nested(2000),
];
const oddKeys = ["__proto__", "constructor", "toString", "length", "", "hasOwnProperty", "0"];

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

/** One change of the tree that a JSON text stands for; undefined where it stands for none, or is too deep for it. */
export function mutateJson(input: Buffer, material: Material): Buffer | undefined {
  const tree = parse(input);
  try {
    return tree === undefined ? undefined : mutateTree(tree, material);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function mutateTree(tree: unknown, { random, dictionary, other }: Material): Buffer {
  const root: Holder = { root: tree };
  const places: Place[] = [];
  collect(root, places);
  const { holder, key } = random.pick(places);
  const put = (value: unknown) =>
    Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
  switch (random.below(9)) {
    case 0:
    case 1:
      put(random.pick(oddValues)());
      break;
    case 2:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      break;
    case 3: {
      const value = holder[key];
      const name = newKey(random, dictionary);
      if (Array.isArray(holder)) holder.push(value);
      else Object.defineProperty(holder, name, { value, writable: true, enumerable: true, configurable: true });
      break;
    }
    case 4: {
      if (dictionary.length > 0) put(random.pick(dictionary).toString("utf8"));
      break;
    }
    case 5: {
      const from = random.pick(places);
      put(structuredClone(from.holder[from.key]));
      break;
    }
    case 6: {
      const others: Place[] = [];
      collect({ root: parse(other) ?? 0 }, others);
      const from = random.pick(others);
      put(structuredClone(from.holder[from.key]));
      break;
    }
    case 7: {
      const value = holder[key];
      if (typeof value === "string") {
        const at = random.below(value.length + 1);
        const word = random.chance(2)
          ? String.fromCharCode(random.pick([0, 10, 46, 47, 58, 64, 92, 0x202e, 0xd800, random.below(65536)]))
          : dictionary.length > 0
            ? random.pick(dictionary).toString("utf8")
            : "";
        put(value.slice(0, at) + word + value.slice(at + random.below(3)));
      } else if (typeof value === "number") put(value + random.pick([1, -1, 0.5, 2 ** 32, -(2 ** 31)]));
      else if (Array.isArray(value) && value.length > 0) put([...value, ...value]);
      break;
    }
    default: {
      const value = holder[key];
      if (Array.isArray(value)) put(value.toReversed());
      else put(random.chance(2) ? [value] : { [newKey(random, dictionary)]: value });
    }
  }
  return Buffer.from(JSON.stringify(root["root"]) ?? "null");
}

const newKey = (random: Random, dictionary: readonly Buffer[]) =>
  random.chance(3) || dictionary.length === 0 ? random.pick(oddKeys) : random.pick(dictionary).toString("utf8");

function parse(input: Buffer): unknown {
  try {
    return JSON.parse(input.toString("utf8"));
  } catch {
    return undefined;
  }
}

/** Every value of the tree, by who holds it; without recursion, for trees are deep here. */
function collect(root: Holder, places: Place[]): void {
  const rest: Holder[] = [root];
  for (let holder = rest.pop(); holder && places.length < 5000; holder = rest.pop()) {
    for (const key of Object.keys(holder)) {
      places.push({ holder, key: Array.isArray(holder) ? Number(key) : key });
      const value = holder[key];
      if (typeof value === "object" && value !== null) rest.push(value as Holder);
    }
  }
}
