import type { ErrorCode } from "../api/errors";
import type { ProcessOutcome } from "./bounded-process";
import { isJsonObject } from "./json-object";
import { printableText } from "./printable-text";

// CNI spec 1.1.0, section 5 "Result types", error codes; what is not listed is the plugin's own affair.
const codes: Record<number, ErrorCode> = {
  1: "FailedPrecondition",
  2: "FailedPrecondition",
  4: "FailedPrecondition",
  7: "FailedPrecondition",
  11: "Unavailable",
  50: "Unavailable",
  51: "Unavailable",
};

/**
 * What a plugin that failed has said: the error result on its stdout (CNI spec 1.1.0, section 5 "Error"), else its
 * stderr, else how it ended. Always one printable line.
 */
export function readPluginError(outcome: ProcessOutcome): { code: ErrorCode; message: string } {
  const result = parse(outcome.stdout);
  if (isJsonObject(result) && (typeof result["msg"] === "string" || typeof result["code"] === "number")) {
    const number = typeof result["code"] === "number" ? result["code"] : undefined;
    const parts = [result["msg"], result["details"]].filter((part) => typeof part === "string" && part !== "");
    const said = printableText(parts.join("; "));
    return {
      code: codes[number ?? 0] ?? "Internal",
      message: `${said || "no message"}${number === undefined ? "" : ` (code ${number})`}`,
    };
  }
  const ended = outcome.signal ? `killed by ${outcome.signal}` : `exit code ${outcome.exitCode}`;
  const said = printableText(outcome.stderr) || printableText(outcome.stdout);
  return { code: "Internal", message: said ? `${ended}: ${said}` : `${ended} without a message` };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
