import { status } from "@grpc/grpc-js";
import { BerthError, codeOf, type ErrorCode, messageOf } from "../../api/errors";
import { printable } from "../printable";

const codes: Record<ErrorCode, status> = {
  InvalidArgument: status.INVALID_ARGUMENT,
  NotFound: status.NOT_FOUND,
  AlreadyExists: status.ALREADY_EXISTS,
  FailedPrecondition: status.FAILED_PRECONDITION,
  PermissionDenied: status.PERMISSION_DENIED,
  ResourceExhausted: status.RESOURCE_EXHAUSTED,
  DeadlineExceeded: status.DEADLINE_EXCEEDED,
  Unavailable: status.UNAVAILABLE,
  Cancelled: status.CANCELLED,
  Unimplemented: status.UNIMPLEMENTED,
  Internal: status.INTERNAL,
  Unknown: status.UNKNOWN,
  RegistryUnavailable: status.UNKNOWN,
  SignatureValidationFailed: status.UNKNOWN,
  RROUnsupported: status.UNKNOWN,
  ImageVolumeMountFailed: status.UNKNOWN,
};

const named = new Set<ErrorCode>([
  "RegistryUnavailable",
  "SignatureValidationFailed",
  "RROUnsupported",
  "ImageVolumeMountFailed",
]);

/** Clients of grpc-go hang on header lists past this size, and the message travels in one. */
const messageLimitBytes = 4096;

/** The gRPC status that any thrown value becomes; the one place where that is decided. */
export function statusOf(error: unknown): { code: status; details: string } {
  const code = codeOf(error);
  const hint = error instanceof BerthError && error.hint ? ` (${error.hint})` : "";
  const text = printable(`${named.has(code) ? `${code}: ` : ""}${messageOf(error)}${hint}`);
  return { code: codes[code], details: cut(text) };
}

function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= messageLimitBytes) return text;
  // as a stream, so that a character which is cut in two is left out
  return `${new TextDecoder().decode(bytes.subarray(0, messageLimitBytes - 3), { stream: true })}…`;
}

const byStatus = new Map(Object.entries(codes).map(([code, number]) => [number, code as ErrorCode] as const));

/** The code that an answer of gRPC stands for; the CRI's own, which come as Unknown, are not told apart. */
export const codeOfStatus = (code: status): ErrorCode =>
  code === status.UNKNOWN ? "Unknown" : (byStatus.get(code) ?? "Unknown");

/** As in grpc-go's metrics and logs: "OK", "NotFound". */
export function statusName(code: status): string {
  return (status[code] ?? "UNKNOWN")
    .split("_")
    .map((word) => (word === "OK" ? word : word[0] + word.slice(1).toLowerCase()))
    .join("");
}
