#!/usr/bin/env node
// Makes api/generated from api/proto: descriptor.json for the codecs, cri.ts with a type per message and a
// signature per RPC. int64 becomes bigint (nanoseconds do not fit in a double); a message that may be absent
// is null.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

const api = path.join(path.dirname(fileURLToPath(import.meta.url)), "../api");
const out = path.join(api, "generated");
const root = new protobuf.Root();
root.resolvePath = (_from, target) => path.join(api, "proto", path.basename(target));
root.loadSync(["runtime_service.proto", "image_service.proto", "berth.proto"]);
root.resolveAll();
const packages = [root.lookup("runtime.v1"), root.lookup("berth.v1")];
const objects = packages.flatMap((each) => each.nestedArray);

const scalars = {
  double: "number",
  float: "number",
  int32: "number",
  uint32: "number",
  int64: "bigint",
  uint64: "bigint",
  bool: "boolean",
  string: "string",
  bytes: "Uint8Array",
};
const typeName = (t) => (packages.includes(t.parent) ? t.name : `${t.parent.name}_${t.name}`);
function fieldType(field) {
  const base = field.resolvedType ? typeName(field.resolvedType) : scalars[field.type];
  if (field.map) return `Record<string, ${base}>`;
  if (field.repeated) return `${base}[]`;
  return field.resolvedType instanceof protobuf.Type ? `${base} | null` : base;
}
const lines = ["// Made by hack/generate-api.mjs from api/proto. Not to be edited.", ""];
function emit(object) {
  if (object instanceof protobuf.Enum) {
    lines.push(`export const ${typeName(object)} = {`);
    for (const [name, value] of Object.entries(object.values)) lines.push(`  ${name}: ${value},`);
    lines.push("} as const;", `export type ${typeName(object)} = number;`, "");
  } else if (object instanceof protobuf.Type) {
    for (const nested of object.nestedArray) emit(nested);
    lines.push(`export interface ${typeName(object)} {`);
    for (const field of object.fieldsArray) lines.push(`  ${field.name}: ${fieldType(field)};`);
    lines.push("}", "");
  }
}
for (const object of objects) emit(object);
lines.push("/** Every message by its name. */", "export interface Messages {");
for (const object of objects) if (object instanceof protobuf.Type) lines.push(`  ${object.name}: ${object.name};`);
lines.push("}", "");
for (const service of objects.filter((o) => o instanceof protobuf.Service)) {
  lines.push(`export interface ${service.name}Methods {`);
  for (const m of service.methodsArray)
    lines.push(
      `  ${m.name}: { request: ${m.requestType}; response: ${m.responseType}; stream: ${Boolean(m.responseStream)} };`,
    );
  lines.push("}", "");
}
fs.mkdirSync(out, { recursive: true });
fs.writeFileSync(path.join(out, "cri.ts"), lines.join("\n"));
fs.writeFileSync(path.join(out, "descriptor.json"), JSON.stringify(root.toJSON()));
