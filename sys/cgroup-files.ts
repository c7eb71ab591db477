import fs from "node:fs";
import path from "node:path";

/** From here on a version 1 limit means none: the kernel rounds its largest number down to a page. */
const unlimitedBytes = 1n << 62n;

/** The text of a cgroup's file; undefined where the kernel has no such file or the cgroup is gone. */
export function readCgroupFile(directory: string | undefined, name: string): string | undefined {
  if (directory === undefined) return undefined;
  try {
    // for this encoding alone Node opens, reads and closes in one go
    return fs.readFileSync(path.join(directory, name), "utf8");
  } catch {
    return undefined;
  }
}

/** A file with one number. Undefined where it is missing. */
export function readCount(directory: string | undefined, name: string): bigint | undefined {
  const text = readCgroupFile(directory, name)?.trim();
  return text && /^\d+$/.test(text) ? BigInt(text) : undefined;
}

/** A file with a limit. Undefined where there is none, which version 2 calls "max". */
export function readLimit(directory: string | undefined, name: string): bigint | undefined {
  const limit = readCount(directory, name);
  return limit === undefined || limit >= unlimitedBytes ? undefined : limit;
}

/** Of a file of lines "key number". Undefined for a key that it has not. */
export interface KeyedCounts {
  get(key: string): bigint | undefined;
}

/** A file of lines "key number", such as memory.stat; empty where it is missing. Only what is asked for is parsed. */
export function readKeyedCounts(directory: string | undefined, name: string): KeyedCounts {
  const text = `\n${readCgroupFile(directory, name) ?? ""}`;
  return {
    get(key) {
      const at = text.indexOf(`\n${key} `);
      if (at < 0) return undefined;
      const from = at + key.length + 2;
      const end = text.indexOf("\n", from);
      const count = text.slice(from, end < 0 ? undefined : end);
      return /^\d+$/.test(count) ? BigInt(count) : undefined;
    },
  };
}
