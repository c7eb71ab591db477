import { type AST, ParseError, parseTOML } from "toml-eslint-parser";
import { BerthError, messageOf } from "./errors";

/** A value of a TOML file together with the place where it stands, for error messages. */
export type TomlValue =
  | { kind: "string"; value: string; line: number }
  | { kind: "integer" | "float"; value: number; line: number }
  | { kind: "boolean"; value: boolean; line: number }
  | { kind: "date"; value: Date; line: number }
  | { kind: "array"; value: TomlValue[]; line: number }
  | TomlTable;

export interface TomlTable {
  kind: "table";
  value: Map<string, TomlValue>;
  /** 1-based. */
  line: number;
}

const keyText = (key: AST.TOMLBare | AST.TOMLQuoted) => (key.type === "TOMLBare" ? key.name : key.value);

/** A key or a text of a file as a message has it. */
export const shortened = (text: string) => (text.length > 100 ? `${text.slice(0, 100)}…` : text);

/** Reads TOML 1.0. Throws InvalidArgument that names `file` and the line. */
export function parseToml(text: string, file: string): TomlTable {
  try {
    return tableOf(parseTOML(text, { tomlVersion: "1.0" }), file);
  } catch (error) {
    if (error instanceof BerthError) throw error;
    const line = error instanceof ParseError ? error.lineNumber : 1;
    const reason =
      error instanceof RangeError ? "a value in it is nested too deeply or too long" : messageOf(error).trim();
    throw new BerthError("InvalidArgument", `${file}:${line}: ${reason.slice(0, 300)}`);
  }
}

function tableOf(program: AST.TOMLProgram, file: string): TomlTable {
  const top: TomlTable = { kind: "table", value: new Map(), line: 1 };
  for (const node of program.body[0].body) {
    if (node.type === "TOMLKeyValue") setPath(top, node.key, readValue(node.value, file), file);
    else {
      // toml-eslint-parser has resolved the path, array indexes included
      let table = top;
      node.resolvedKey.forEach((part, index) => {
        const isLastArray = typeof node.resolvedKey[index + 1] === "number";
        table = descend(table, part, isLastArray, node.loc.start.line, node.resolvedKey[index - 1]);
      });
      for (const pair of node.body) setPath(table, pair.key, readValue(pair.value, file), file);
    }
  }
  return top;
}

function descend(
  table: TomlTable,
  part: string | number,
  isArray: boolean,
  line: number,
  arrayName: string | number | undefined,
): TomlTable {
  if (typeof part === "number") {
    const list = table.value.get(String(arrayName));
    if (list?.kind !== "array") return table;
    list.value[part] ??= { kind: "table", value: new Map(), line };
    return list.value[part] as TomlTable;
  }
  if (isArray) {
    if (!table.value.has(part)) table.value.set(part, { kind: "array", value: [], line });
    return table;
  }
  const existing = table.value.get(part);
  if (existing?.kind === "table") return existing;
  const made: TomlTable = { kind: "table", value: new Map(), line };
  table.value.set(part, made);
  return made;
}

function setPath(table: TomlTable, key: AST.TOMLKey, value: TomlValue, file: string): void {
  const parts = key.keys.map(keyText);
  let target = table;
  for (const part of parts.slice(0, -1)) target = descend(target, part, false, key.loc.start.line, undefined);
  const last = parts.at(-1)!;
  if (target.value.has(last)) {
    throw new BerthError("InvalidArgument", `${file}:${key.loc.start.line}: "${shortened(last)}" is set twice`);
  }
  target.value.set(last, value);
}

function readValue(node: AST.TOMLContentNode, file: string): TomlValue {
  const line = node.loc.start.line;
  switch (node.type) {
    case "TOMLArray":
      return { kind: "array", value: node.elements.map((element) => readValue(element, file)), line };
    case "TOMLInlineTable": {
      const table: TomlTable = { kind: "table", value: new Map(), line };
      for (const pair of node.body) setPath(table, pair.key, readValue(pair.value, file), file);
      return table;
    }
    case "TOMLValue":
      switch (node.kind) {
        case "string":
          return { kind: "string", value: node.value, line };
        case "integer":
          return { kind: "integer", value: Number(node.bigint), line };
        case "float":
          return { kind: "float", value: node.value, line };
        case "boolean":
          return { kind: "boolean", value: node.value, line };
        default:
          return { kind: "date", value: node.value, line };
      }
  }
}
