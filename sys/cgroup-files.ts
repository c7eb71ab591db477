import fs from "node:fs";
import path from "node:path";

/** From here on a version 1 limit means none: the kernel rounds its largest number down to a page. */
const unlimitedBytes = 1n << 62n;

/** The text of a cgroup's file; undefined where the kernel has no such file or the cgroup is gone. */
export function readCgroupFile(directory: string | undefined, name: string): string | undefined {
  if (directory === undefined) return undefined;
  try {
    return fs.readFileSync(path.join(directory, name), "latin1");
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

/** A file of lines "key number", such as memory.stat; empty where it is missing. */
export function readKeyedCounts(directory: string | undefined, name: string): Map<string, bigint> {
  const counts = new Map<string, bigint>();
  for (const line of (readCgroupFile(directory, name) ?? "").split("\n")) {
    const space = line.indexOf(" ");
    if (space > 0 && /^\d+$/.test(line.slice(space + 1)))
      counts.set(line.slice(0, space), BigInt(line.slice(space + 1)));
  }
  return counts;
}
