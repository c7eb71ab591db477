import { isUtf8 } from "node:buffer";
import type { KeyValue } from "../../api/messages";
import { checkCount, checkNoNul, invalid, quote } from "./check-text";

export interface EnvironmentInput {
  /** KEY=value, as the image's configuration has them. */
  image: string[];
  config: KeyValue[];
  hostname: string;
  tty: boolean;
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The environment of the first process, each key once: the image's entries, CRI's over them in their order, and PATH,
 * HOSTNAME and TERM where neither names them. Throws InvalidArgument for what cannot be an entry. HOME is left to the
 * runtime, which takes it from the passwd file that it reads anyway.
 */
export function environment({ image, config, hostname, tty }: EnvironmentInput): string[] {
  checkCount("environment variables", [...image, ...config], 65536);
  const entries = new Map<string, string>([
    ["PATH", defaultPath],
    ["HOSTNAME", hostname],
  ]);
  if (tty) entries.set("TERM", "xterm");
  for (const entry of image) {
    const [key, value] = splitEntry(entry);
    // no builder writes a newline; who does wants to write into files that are made of the environment
    if (value.includes("\n")) throw invalid(`the image's environment variable ${quote(key)} has a newline`);
    entries.set(key, value);
  }
  for (const { key, value } of config) entries.set(checkKey(key), decodeValue(key, value));
  const home = entries.get("HOME");
  // runtimes and tools write the home directory into /etc/passwd (CVE-2022-4318)
  if (home && /[\n:]/.test(home)) throw invalid("the environment variable HOME has a newline or a colon");
  return [...entries].map(([key, value]) => `${key}=${value}`);
}

function splitEntry(entry: string): [key: string, value: string] {
  const at = entry.indexOf("=");
  if (at < 0) throw invalid(`the image's environment entry ${quote(entry)} has no "="`);
  return [checkKey(entry.slice(0, at)), checkNoNul("the environment variable", entry.slice(at + 1))];
}

function checkKey(key: string): string {
  if (key === "") throw invalid("an environment variable has no name");
  if (/[=\n]/.test(key)) throw invalid(`the environment variable's name ${quote(key)} has a "=" or a newline`);
  return checkNoNul("the environment variable's name", key);
}

// config.json is JSON, which has no other bytes
function decodeValue(key: string, value: Uint8Array): string {
  if (!isUtf8(value)) throw invalid(`the environment variable ${quote(key)} is not UTF-8`);
  return checkNoNul("the environment variable", Buffer.from(value).toString("utf8"));
}
