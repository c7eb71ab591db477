import { BerthError, messageOf } from "../api/errors";
import { printableText } from "./printable-text";

export type JsonObject = { [key: string]: unknown };

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Real ones have less than ten levels, and JSON.stringify() overflows the stack at some thousands. */
const mostLevels = 100;

/** Reads `text` as one JSON object. Throws InvalidArgument, with the line where the parser can be made to tell it. */
export function parseJsonObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const line = lineOfError(text, messageOf(error));
    throw new BerthError("InvalidArgument", `${line ? `line ${line}: ` : ""}${printableText(messageOf(error), 200)}`);
  }
  if (!isJsonObject(value)) throw new BerthError("InvalidArgument", "not a JSON object");
  checkDepth(value);
  return value;
}

/** Throws InvalidArgument for a value that is nested so deep that it could not be written down again. */
export function checkDepth(value: unknown): void {
  const inner = (each: unknown) => (typeof each === "object" && each !== null ? Object.values(each) : []);
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > mostLevels) throw new BerthError("InvalidArgument", `nested more than ${mostLevels} levels deep`);
    level = level.flatMap(inner);
  }
}

// V8 says where in three ways: a position, nothing at the end of the text, or some ten characters to either side.
function lineOfError(text: string, message: string): number | undefined {
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return lineAt(text, Number(position));
  if (/end of JSON input/.test(message)) return lineAt(text, text.length);
  const around = /^Unexpected token '.+?', (\.\.\.)?"(.*?)"(\.\.\.)? is not valid JSON$/s.exec(message);
  if (!around) return undefined;
  const start = text.indexOf(around[2]!);
  const offender = /^Unexpected token '(.+?)', /s.exec(message)![1]!;
  const before = around[1] ? 10 : 0;
  const at = start < 0 ? -1 : text.indexOf(offender, start + before);
  return at < 0 ? undefined : lineAt(text, at);
}

const lineAt = (text: string, position: number) => text.slice(0, position).split("\n").length;
