import fs from "node:fs/promises";
import { BerthError, messageOf } from "../../api/errors";
import { errnoOf } from "../../sys/libc";
import type { SpecSeccomp } from "../runtime-spec";
import { parseProfile } from "./parse-profile";

const limitBytes = 4 * 1024 * 1024;
const maxCached = 64;
const cache = new Map<string, { stamp: string; profile: SpecSeccomp }>();

/**
 * A seccomp profile of the node's. It is read again when the file changes, and at most 4 MiB of it. Throws
 * InvalidArgument for a path that is not absolute, a file that cannot be read, and what is no profile.
 */
export async function readProfile(file: string): Promise<SpecSeccomp> {
  try {
    if (!file.startsWith("/") || file.includes("\0")) throw bad("the path is not absolute");
    return await readChecked(file);
  } catch (cause) {
    const reason = errnoOf(cause) === "ENOENT" ? "there is no such file" : messageOf(cause);
    const name = JSON.stringify(file.slice(0, 300));
    throw new BerthError("InvalidArgument", `the seccomp profile ${name}: ${reason}`, { cause });
  }
}

const bad = (reason: string) => new BerthError("InvalidArgument", reason);

async function readChecked(file: string): Promise<SpecSeccomp> {
  // O_NONBLOCK so that a FIFO is found out instead of waited for
  const handle = await fs.open(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) throw bad("it is not a regular file");
    if (stat.size > limitBytes) throw bad(`it has more than ${limitBytes} bytes`);
    const stamp = [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(":");
    const known = cache.get(file);
    if (known?.stamp === stamp) return known.profile;
    // one byte more than its size tells of a file that grows
    const buffer = Buffer.alloc(Number(stat.size) + 1);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    if (bytesRead !== Number(stat.size)) throw bad("it changed while it was read");
    const profile = parseProfile(buffer.toString("utf8", 0, bytesRead));
    if (cache.size >= maxCached) cache.clear();
    cache.set(file, { stamp, profile });
    return profile;
  } finally {
    await handle.close();
  }
}
