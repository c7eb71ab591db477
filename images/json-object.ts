import { BerthError } from "../api/errors";

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Parses a JSON object in UTF-8. Throws InvalidArgument that names `what`. */
export function parseJsonObject(body: Uint8Array, what: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    throw new BerthError("InvalidArgument", `${what} is not JSON`, { cause: error });
  }
  if (!isRecord(parsed)) throw new BerthError("InvalidArgument", `${what} is not a JSON object`);
  return parsed;
}
