import fs from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { BerthError } from "../api/errors";
import { errnoOf } from "./libc";
import { setXattr } from "./xattr";

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;
const nul = Buffer.from("\0");

/** The host's own, which nobody's volume is; a new label on these would stop the host, or open them to pods (CVE-2021-43816). */
const untouchable = new Set([
  ...["/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root"],
  ...["/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/lib", "/var/log", "/var/run"],
  ...["hosts", "hostname", "resolv.conf", "passwd", "group", "shadow"].map((name) => `/etc/${name}`),
]);

/**
 * Gives a file, or a directory with all below it, an SELinux label. Links are labelled and not followed, also where
 * somebody puts one in a directory's place meanwhile. A file system without labels stays as it is. Throws
 * InvalidArgument for a directory or file of the system's.
 */
export async function relabel(file: string, label: string): Promise<void> {
  if (untouchable.has(file)) throw new BerthError("InvalidArgument", `the host's own ${file} can't be relabelled`);
  const value = Buffer.from(`${label}\0`);
  if (!setLabel(Buffer.from(file), value)) return;
  const directory = await openDirectory(Buffer.from(file));
  if (directory) await relabelBelow(directory, value);
}

/** Closes `directory`. */
async function relabelBelow(directory: FileHandle, value: Buffer): Promise<void> {
  try {
    const place = `/proc/self/fd/${directory.fd}`;
    for (const name of await fs.promises.readdir(place, { encoding: "buffer" })) {
      const file = Buffer.concat([Buffer.from(`${place}/`), name]);
      if (!setLabel(file, value)) continue;
      const inner = await openDirectory(file);
      if (inner) await relabelBelow(inner, value);
    }
  } finally {
    await directory.close();
  }
}

/** False where there is nothing any more, or no labels. */
function setLabel(file: Buffer, value: Buffer): boolean {
  try {
    setXattr(Buffer.concat([file, nul]), "security.selinux", value);
    return true;
  } catch (error) {
    if (["ENOENT", "ENOTSUP", "EOPNOTSUPP", "EROFS"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

/** Undefined for what is none. */
async function openDirectory(file: Buffer): Promise<FileHandle | undefined> {
  try {
    return await open(file, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (["ENOTDIR", "ELOOP", "ENOENT"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}
