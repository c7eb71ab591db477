import { BerthError, codeOf, messageOf } from "../api/errors";

/**
 * `text` of a stranger made fit for a log or a terminal: control characters and what reorders text become visible
 * escapes, URLs lose their userinfo and query (both can be secrets), `secrets` are masked, and `limit` characters stay.
 */
export function safeText(text: string, secrets: readonly string[] = [], limit = 300): string {
  // what is cut off needs no masking, but a secret must not be cut in half before it is looked for
  let safe = masked(text.slice(0, 64 * 1024), secrets);
  safe = safe.replace(/(\w:\/\/)[^\s/@"'<>]*@/g, "$1").replace(/(\w:\/\/[^\s?"'<>]*)\?[^\s"'<>]*/g, "$1");
  safe = safe.replace(/[\s]+/g, " ").trim();
  safe = safe.replace(
    /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return safe.length > limit ? `${safe.slice(0, limit)}…` : safe;
}

function masked(text: string, secrets: readonly string[]): string {
  return secrets.reduce((safe, secret) => (secret.length >= 3 ? safe.replaceAll(secret, "***") : safe), text);
}

/** The same error, or one in its place that lacks the secrets; its causes, which might quote them, it then lacks too. */
export function withoutSecrets(error: unknown, secrets: readonly string[]): unknown {
  const message = masked(messageOf(error), secrets);
  if (message === messageOf(error)) return error;
  return new BerthError(codeOf(error), message, { hint: error instanceof BerthError ? error.hint : undefined });
}

/** A URL without what can be secret in it: userinfo, query and fragment. */
export const safeUrl = (url: URL) => safeText(`${url.protocol}//${url.host}${url.pathname}`);
