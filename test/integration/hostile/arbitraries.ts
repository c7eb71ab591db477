import fc from "fast-check";
import protobuf from "protobufjs";
import type { Loose, LooseValue } from "./wire";

/**
 * Requests made from the descriptor of their type, with a liking for what has broken runtimes before. Absolute paths
 * lead below the daemon's own directory or to what cannot be written: the daemon is root, and may make what it is told.
 */
const texts = [
  "",
  ".",
  "..",
  "../..",
  "/",
  "//",
  "a/b",
  "../../../../../../etc/passwd",
  "a\u0000b",
  "\u0000",
  "a\nb",
  "\u001b[2J",
  "a b",
  "a=b",
  "a:b",
  "a;b=c",
  "-1",
  "--help",
  "+1",
  "2147483648",
  "18446744073709551616",
  "NaN",
  "Infinity",
  "1e99",
  "0-4096",
  "0-",
  "%s%n",
  "$(id)",
  "`id`",
  "null",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "localhost/",
  "localhost/x",
  "runtime/default",
  "unconfined",
  "ALL",
  "CAP_ALL",
  "ro",
  "x.slice",
  "a@sha256:00",
  "sha256:0000",
  "127.0.0.1:1/x:y",
  "[::1]:1/x",
  "::1",
  "0.0.0.0",
  "999.1.1.1",
  "10.0.0.0/33",
  "\ud7ff\uffff\u{10ffff}",
  "\u202eabc",
  "\ufeff",
];

const templates = [
  "{directory}/outside",
  "{directory}/a\u0000b",
  "{directory}/a\nb",
  "{directory}/../..",
  "{directory}/sub/../outside",
  "{directory}/file",
  "{directory}/file/below",
  "{directory}/loop",
  "{directory}/link-out/x",
  "{image}",
];
const systemTemplates = ["/proc/self/fd/0", "/proc/self/root", "/proc/1/ns/net", "/dev/null", "/dev", "/sys", "/proc"];

const knownIds = ["{pod}", "{container}", "{created}", "{exited}", "{image}", "{imageId}", "{unknown}"];
const annotationKeys = ["kubernetes.io/ingress-bandwidth", "org.systemd.property.X", "run.oci.hooks.stdout", "x/y"];
const sysctlKeys = ["net.core.somaxconn", "kernel.shm_rmid_forced", "net.no.such", "net/../kernel/core_pattern"];

const template = (text: string): LooseValue => ({ template: text });
const repeat = (value: LooseValue, times: number): LooseValue => ({ repeat: value, times });
const longTexts = [
  repeat("x", 256),
  repeat("x", 10_240),
  repeat("a/", 4000),
  repeat("../", 4000),
  repeat("\u0001", 200_000),
  repeat("é", 70_000),
];
const invalidUtf8 = [Buffer.from([0xff]), Buffer.from([0x61, 0xc3, 0x28]), Buffer.from([0xed, 0xa0, 0x80])];

/** What fits nobody's path by accident. */
const anyText = fc.string({ unit: "binary", maxLength: 20 }).filter((text) => !text.startsWith("/"));

function textArbitrary(field: string): fc.Arbitrary<LooseValue> {
  const isId = /id$/i.test(field) || field === "image" || field === "imageRef";
  return fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom<LooseValue>(...texts) },
    {
      weight: 4,
      // what ExportImage writes is put in the place of what is there
      arbitrary: fc.constantFrom(...templates, ...(field === "path" ? [] : systemTemplates)).map(template),
    },
    { weight: 3, arbitrary: anyText },
    { weight: 2, arbitrary: fc.constantFrom(...longTexts) },
    { weight: 1, arbitrary: fc.constantFrom<LooseValue>(...invalidUtf8) },
    { weight: isId ? 12 : 1, arbitrary: fc.constantFrom(...knownIds).map(template) },
  );
}

const smallNumbers = [0, 1, -1, 2, 80, 65535, 65536, 2 ** 31 - 1, -(2 ** 31), 1000];
const largeNumbers = [
  ...smallNumbers.map(BigInt),
  ...[999n, 1001n, 100_000n, 1n << 20n, 1n << 31n, 1n << 32n, 1n << 53n, (1n << 53n) + 1n],
  ...[(1n << 63n) - 1n, -(1n << 63n), -1001n],
];

function scalarArbitrary(field: protobuf.Field): fc.Arbitrary<LooseValue> {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Enum) {
    const values = Object.values(resolvedType.values);
    return fc.constantFrom<LooseValue>(...values.slice(0, 8), Math.max(...values) + 1, -1, 2 ** 31 - 1);
  }
  switch (field.type) {
    case "bool":
      return fc.boolean();
    case "string":
      return textArbitrary(field.name);
    case "bytes":
      return fc.oneof(fc.constantFrom<LooseValue>(...texts, ...longTexts, ...invalidUtf8), fc.uint8Array());
    case "int32":
    case "uint32":
      return fc.oneof(fc.constantFrom<LooseValue>(...smallNumbers), fc.integer());
    case "int64":
    case "uint64":
      return fc.oneof(
        fc.constantFrom<LooseValue>(...largeNumbers),
        fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
      );
    default:
      throw new Error(`the field ${field.fullName} has the type ${field.type}, which nothing is made for`);
  }
}

function mapArbitrary(field: protobuf.MapField): fc.Arbitrary<LooseValue> {
  const keys = fc.oneof(textArbitrary(field.name), fc.constantFrom(...annotationKeys, ...sysctlKeys));
  const few = fc.array(fc.tuple(keys, textArbitrary(field.name)), { maxLength: 4 });
  // near to the limit of a message, in one value and in many
  const huge = fc.constantFrom<[LooseValue, LooseValue][]>(
    [["k", repeat("x", 1 << 20)]],
    [["k", repeat("x", (16 << 20) - 4096)]],
    [[repeat("k", 5 << 20), repeat("v", 5 << 20)]],
    Array.from({ length: 20_000 }, (_, index): [LooseValue, LooseValue] => [`key-${index}`, "v"]),
  );
  return fc.oneof({ weight: 12, arbitrary: few }, { weight: 1, arbitrary: huge }).map((pairs) => ({ pairs }));
}

const messages = new Map<protobuf.Type, fc.Arbitrary<Loose>>();

function valueArbitrary(field: protobuf.Field): fc.Arbitrary<LooseValue> {
  if (field instanceof protobuf.MapField) return mapArbitrary(field);
  const one =
    field.resolvedType instanceof protobuf.Type
      ? messageArbitrary(field.resolvedType).map((message) => ({ message }))
      : scalarArbitrary(field);
  if (!field.repeated) return one;
  const many = fc.constantFrom(300, 5000).chain((times) => shortValue(field).map((value) => repeat(value, times)));
  return fc.oneof({ weight: 12, arbitrary: fc.array(one, { maxLength: 3 }) }, { weight: 1, arbitrary: many });
}

/** Many of what is long would be more than a message holds, each time. */
function shortValue(field: protobuf.Field): fc.Arbitrary<LooseValue> {
  if (field.resolvedType instanceof protobuf.Type) return fc.constant({ message: {} });
  return field.type === "string" ? fc.constantFrom<LooseValue>(...texts) : scalarArbitrary(field);
}

/** Any message of a type: each field absent or with any value. */
export function messageArbitrary(type: protobuf.Type): fc.Arbitrary<Loose> {
  let found = messages.get(type);
  if (!found) {
    const fields = type.fieldsArray.map((field) => [field.name, valueArbitrary(field.resolve())] as const);
    found = fc.record(Object.fromEntries(fields), { requiredKeys: [] }) as fc.Arbitrary<Loose>;
    messages.set(type, found);
  }
  return found;
}

export interface Change {
  /** The names of fields from the request down. */
  path: string[];
  value: LooseValue | undefined;
}

/** One field of a request, at any depth, that is to have a hostile value or to be absent. */
export function changeArbitrary(type: protobuf.Type): fc.Arbitrary<Change> {
  const paths = pathsOf(type);
  if (paths.length === 0) return fc.constant({ path: [], value: undefined });
  return fc
    .constantFrom(...paths)
    .chain(({ path, field }) =>
      fc
        .oneof({ weight: 10, arbitrary: valueArbitrary(field) }, { weight: 1, arbitrary: fc.constant(undefined) })
        .map((value) => ({ path, value })),
    );
}

function pathsOf(type: protobuf.Type, above: string[] = []): { path: string[]; field: protobuf.Field }[] {
  return type.fieldsArray.flatMap((field) => {
    const path = [...above, field.name];
    const below =
      field.resolve().resolvedType instanceof protobuf.Type && !(field instanceof protobuf.MapField)
        ? pathsOf(field.resolvedType as protobuf.Type, path)
        : [];
    return [{ path, field }, ...below];
  });
}

/** `request` with the change made; messages on the way are made where they are absent, of lists the first is meant. */
export function withChange(type: protobuf.Type, request: Loose, { path, value }: Change): Loose {
  const [name, ...rest] = path;
  if (name === undefined) return request;
  const changed = { ...request };
  if (rest.length === 0) {
    if (value === undefined) delete changed[name];
    else changed[name] = value;
    return changed;
  }
  const field = type.fields[name]!;
  const now = request[name];
  const first = (Array.isArray(now) ? now[0] : now) as { message: Loose } | undefined;
  const message = withChange(field.resolvedType as protobuf.Type, first?.message ?? {}, { path: rest, value });
  changed[name] = field.repeated ? [{ message }, ...(Array.isArray(now) ? now.slice(1) : [])] : { message };
  return changed;
}

/** Bytes that are no message any more, or one of a later API. */
export type Spoiling =
  | { kind: "cut"; at: number }
  | { kind: "flip"; at: number; bit: number }
  | { kind: "append"; bytes: Uint8Array };

const unknownField = Buffer.from([0xfa, 0x3e, 3, 1, 2, 3]); // number 1007, three bytes
const groups = Buffer.alloc(20_000, 0x0b); // a group in a group in a group
const hugeLength = Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]);
const endlessVarint = Buffer.alloc(64, 0xff);
const wrongWireTypes = [0, 1, 2, 3, 4, 5, 6, 7].map((wireType) => Buffer.from([(1 << 3) | wireType, 1, 1, 1, 1]));

export const spoilingArbitrary: fc.Arbitrary<Spoiling> = fc.oneof(
  fc.record({ kind: fc.constant("cut" as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({
    kind: fc.constant("flip" as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    bit: fc.nat({ max: 7 }),
  }),
  fc.record({
    kind: fc.constant("append" as const),
    bytes: fc.oneof(
      fc.constantFrom<Uint8Array>(unknownField, groups, hugeLength, endlessVarint, ...wrongWireTypes),
      fc.uint8Array({ maxLength: 20 }),
    ),
  }),
);

/** A flipped bit in a path could name a place of somebody else's, so bytes with a slash are left as they are. */
export function spoil(bytes: Buffer, spoiling: Spoiling): Buffer {
  if (spoiling.kind === "append") return Buffer.concat([bytes, spoiling.bytes]);
  const at = Math.floor(spoiling.at * bytes.length);
  if (spoiling.kind === "cut") return bytes.subarray(0, at);
  if (bytes.length === 0 || bytes.includes("/")) return bytes;
  const changed = Buffer.from(bytes);
  changed[Math.min(at, bytes.length - 1)]! ^= 1 << spoiling.bit;
  return changed;
}
