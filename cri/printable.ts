// Control characters (terminal escapes among them), and those that reorder or hide text.
const unprintable = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const limitChars = 4096;

/** A text from outside as part of a log line or an answer: it must neither steer a terminal nor forge a line. */
export const printable = (text: string): string =>
  text.slice(0, limitChars).replace(unprintable, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
