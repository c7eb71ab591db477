/**
 * What went wrong, in the terms of gRPC's status codes, so that one table (cri/server/status-code.ts) can turn any
 * error of any room into an answer. The last four are CRI's own: their name leads the message and gRPC's code is
 * Unknown (cri-api pkg/errors, which the kubelet strips off again).
 */
export type ErrorCode =
  | "InvalidArgument"
  | "NotFound"
  | "AlreadyExists"
  | "FailedPrecondition"
  | "PermissionDenied"
  | "ResourceExhausted"
  | "DeadlineExceeded"
  | "Unavailable"
  | "Cancelled"
  | "Unimplemented"
  | "Internal"
  | "Unknown"
  | "RegistryUnavailable"
  | "SignatureValidationFailed"
  | "RROUnsupported"
  | "ImageVolumeMountFailed";

export interface ErrorDetails {
  /** What the reader can do about it; one sentence. */
  hint?: string;
  cause?: unknown;
}

/** The one error type of the project. `message` says what was being done, to what, and why it failed. */
export class BerthError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "BerthError";
    this.code = code;
    this.hint = details.hint;
  }
}

/** The code of any thrown value; what is not ours is Internal, a full disk ResourceExhausted. */
export function codeOf(error: unknown): ErrorCode {
  if (error instanceof BerthError) return error.code;
  const errno = (error as NodeJS.ErrnoException | undefined)?.code;
  if (errno === "ENOSPC" || errno === "EDQUOT" || errno === "EMFILE" || errno === "ENFILE") return "ResourceExhausted";
  if (errno === "ABORT_ERR") return "Cancelled";
  return "Internal";
}

/** The text of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `error` with `doing` put before its message, its code kept. */
export function during(doing: string, error: unknown): BerthError {
  const hint = error instanceof BerthError ? error.hint : undefined;
  return new BerthError(codeOf(error), `${doing}: ${messageOf(error)}`, { cause: error, hint });
}
