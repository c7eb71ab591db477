import { BerthError, messageOf } from "../api/errors";
import { safeText, safeUrl } from "./remote-text";

const reasons: Record<string, string> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection reset",
  ERR_STREAM_PREMATURE_CLOSE: "connection reset",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the name could not be resolved",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network unreachable",
};

const certificateCodes =
  /^(?:CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|ERR_TLS_CERT_ALTNAME_INVALID)/;

/**
 * The error of a request that got no answer, or half of one: FailedPrecondition where the host's certificate is not
 * trusted (trying again is no use), else RegistryUnavailable. Names host and reason.
 */
export function transportError(url: URL, error: unknown): BerthError {
  if (error instanceof BerthError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (certificateCodes.test(code)) {
    return new BerthError("FailedPrecondition", `${url.host}: its certificate is not trusted: ${reasonOf(error)}`, {
      cause: error,
      hint: "Name the authority by ca in the host's hosts.toml.",
    });
  }
  return new BerthError("RegistryUnavailable", `${safeUrl(url)}: ${reasonOf(error)}`, { cause: error });
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code !== "ECONNRESET" && isPlainAnswer(error)) return "it does not speak TLS";
  // messageOf() of an error from several addresses is empty
  return reasons[code] ?? safeText(messageOf(error) || code || "the connection failed");
}

/** Whether a TLS handshake failed because the other side does not speak TLS. */
export function isPlainAnswer(error: unknown): boolean {
  const cause = error instanceof BerthError ? error.cause : error;
  const { code, message = "" } = (cause ?? {}) as NodeJS.ErrnoException;
  if (code === "ECONNRESET") return message.includes("before secure TLS connection");
  return /^(?:EPROTO|ERR_SSL_)/.test(code ?? "") && /wrong version number|packet length too long/.test(message);
}
