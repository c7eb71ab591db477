import { BerthError } from "../../api/errors";

/** Bad input of a container's configuration. */
export const invalid = (message: string) => new BerthError("InvalidArgument", message);

/** A text from outside as part of a message: quoted, short, and without anything a terminal would obey. */
export function quote(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return JSON.stringify(short);
}

/** `text` without NUL, which no argument of a system call can carry. Throws InvalidArgument. */
export function checkNoNul(what: string, text: string): string {
  if (text.includes("\0")) throw invalid(`${what} ${quote(text)} has a NUL`);
  return text;
}

/** An absolute path without NUL and newline (mountinfo and logs are read by line). Throws InvalidArgument. */
export function checkAbsolutePath(what: string, text: string): string {
  if (text === "") throw invalid(`${what} is empty`);
  checkNoNul(what, text);
  if (text.includes("\n")) throw invalid(`${what} ${quote(text)} has a newline`);
  if (!text.startsWith("/")) throw invalid(`${what} ${quote(text)} is not absolute`);
  if (Buffer.byteLength(text) > 4095) throw invalid(`${what} ${quote(text)} is longer than 4095 bytes`);
  return text;
}

/** Throws InvalidArgument for a list that is longer than anything real. */
export function checkCount(what: string, list: readonly unknown[], limit: number): void {
  if (list.length > limit) throw invalid(`${list.length} ${what} are more than ${limit}`);
}
