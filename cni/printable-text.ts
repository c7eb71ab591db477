// Control characters (terminal escapes among them), and those that reorder or hide text.
const unprintable = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/g;

/**
 * What a foreign program has said, fit for a log line or an error: one line without control characters, at most
 * `limitChars` long. A gRPC message beyond some KiB hangs clients, so the default leaves room for what goes around it.
 */
export function printableText(text: string, limitChars = 1000): string {
  // What is beyond some multiple of the limit is cut first, so that a megabyte costs nothing.
  const line = text
    .slice(0, limitChars * 4)
    .replace(unprintable, " ")
    .trim();
  return line.length > limitChars ? `${line.slice(0, limitChars)}…` : line;
}
