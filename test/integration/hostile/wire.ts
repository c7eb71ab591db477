import Long from "long";
import protobuf from "protobufjs";
import descriptor from "../../../api/generated/descriptor.json";

/**
 * A request as a client without manners would send it, in a form that prints short and can be sent again: what is
 * known only at run time (an ID, a directory) and what is long stands there by a description.
 */
export type Loose = { [field: string]: LooseValue };
export type LooseValue =
  | string
  | number
  | bigint
  | boolean
  | Uint8Array
  /** `times` copies, as one text or as a list. */
  | { repeat: LooseValue; times: number }
  /** Text with what is known at run time in it: "{pod}", "{directory}/x". */
  | { template: string }
  /** A map; keys may come twice. */
  | { pairs: [LooseValue, LooseValue][] }
  | { message: Loose }
  | LooseValue[];

/** What a template's words stand for. */
export type Known = Record<string, string>;

export const root = protobuf.Root.fromJSON(descriptor as protobuf.INamespace);
root.resolveAll();

const wireTypes: Record<string, number> = { double: 1, float: 5, string: 2, bytes: 2 };
const isScalarNumber = (type: string) => !["string", "bytes", "bool"].includes(type);

/** The bytes of `message`, whether it keeps the rules of its type or not. */
export function encodeLoosely(type: protobuf.Type, message: Loose, known: Known): Buffer {
  const writer = protobuf.Writer.create();
  for (const [name, value] of Object.entries(message)) {
    const field = type.fields[name]!;
    if (field instanceof protobuf.MapField) {
      for (const [key, each] of (value as { pairs: [LooseValue, LooseValue][] }).pairs) {
        const entry = protobuf.Writer.create();
        entry.uint32((1 << 3) | 2).bytes(bytesOf(key, known));
        entry.uint32((2 << 3) | 2).bytes(bytesOf(each, known));
        writer.uint32((field.id << 3) | 2).bytes(entry.finish());
      }
      continue;
    }
    for (const each of field.repeated ? listOf(value) : [value]) encodeField(writer, field, each, known);
  }
  return Buffer.from(writer.finish());
}

function listOf(value: LooseValue): LooseValue[] {
  if (Array.isArray(value)) return value;
  if (typeof value === "object" && "times" in value) return Array(value.times).fill(value.repeat);
  return [value];
}

function encodeField(writer: protobuf.Writer, field: protobuf.Field, value: LooseValue, known: Known): void {
  const { resolvedType, type, id } = field;
  if (resolvedType instanceof protobuf.Type) {
    const { message } = value as { message: Loose };
    writer.uint32((id << 3) | 2).bytes(encodeLoosely(resolvedType, message, known));
    return;
  }
  const scalar = resolvedType ? "int32" : type;
  writer.uint32((id << 3) | (wireTypes[scalar] ?? 0));
  if (scalar === "string" || scalar === "bytes") writer.bytes(bytesOf(value, known));
  else if (isScalarNumber(scalar)) writer.int64(Long.fromString(String(value)));
  else writer.bool(Boolean(value));
}

function bytesOf(value: LooseValue, known: Known): Uint8Array {
  if (typeof value === "string") return Buffer.from(value);
  if (value instanceof Uint8Array) return value;
  if (typeof value === "object" && "template" in value) {
    return Buffer.from(value.template.replace(/\{(\w+)\}/g, (_, word: string) => known[word] ?? ""));
  }
  if (typeof value === "object" && "times" in value) {
    const one = Buffer.from(bytesOf(value.repeat, known));
    return Buffer.alloc(one.length * value.times, one);
  }
  throw new Error(`no text: ${JSON.stringify(value)}`);
}
