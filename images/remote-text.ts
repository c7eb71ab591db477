/**
 * `text` of a stranger made fit for a log or a terminal: control characters and what reorders text become visible
 * escapes, URLs lose their userinfo and query (both can be secrets), `secrets` are masked, and `limit` characters stay.
 */
export function safeText(text: string, secrets: readonly string[] = [], limit = 300): string {
  // what is cut off needs no masking, but a secret must not be cut in half before it is looked for
  let safe = text.slice(0, 64 * 1024);
  for (const secret of secrets) if (secret.length >= 3) safe = safe.replaceAll(secret, "***");
  safe = safe.replace(/(\w:\/\/)[^\s/@"'<>]*@/g, "$1").replace(/(\w:\/\/[^\s?"'<>]*)\?[^\s"'<>]*/g, "$1");
  safe = safe.replace(/[\s]+/g, " ").trim();
  safe = safe.replace(
    /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return safe.length > limit ? `${safe.slice(0, limit)}…` : safe;
}

/** A URL without what can be secret in it: userinfo, query and fragment. */
export const safeUrl = (url: URL) => safeText(`${url.protocol}//${url.host}${url.pathname}`);
