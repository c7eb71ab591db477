import fs from "node:fs/promises";
import path from "node:path";
import { errnoOf } from "../../sys/libc";
import type { SpecDevice } from "../runtime-spec";

/** Directories of /dev that are not devices of the host's but of each mount namespace or another manager. */
const skippedDirectories = new Set(["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"]);
const S_IFMT = 0o170000n;
const typesByFormat = new Map<bigint, SpecDevice["type"]>([
  [0o060000n, "b"],
  [0o020000n, "c"],
]);
const maxDevices = 16384;

/** The device node at `file`, itself and not what it links to; undefined for anything else. */
export async function deviceAt(file: string, containerPath = file): Promise<SpecDevice | undefined> {
  const stat = await fs.lstat(file, { bigint: true });
  const type = typesByFormat.get(stat.mode & S_IFMT);
  if (!type) return undefined;
  const { major, minor } = deviceNumber(stat.rdev);
  const [uid, gid] = [Number(stat.uid), Number(stat.gid)];
  return { path: containerPath, type, major, minor, fileMode: Number(stat.mode & 0o7777n), uid, gid };
}

/** The halves of a dev_t (makedev(3)). */
export function deviceNumber(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn & 0xffffffffn)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn & 0xffffffffn)),
  };
}

/**
 * Every device below a directory of the host, named below `containerDirectory`. What vanishes meanwhile is left out,
 * and so are /dev/console and /dev/ptmx, which the runtime makes anew.
 */
export async function devicesBelow(directory: string, containerDirectory = directory): Promise<SpecDevice[]> {
  const found: SpecDevice[] = [];
  for (const entry of await fs.readdir(directory, { withFileTypes: true })) {
    const file = path.join(directory, entry.name);
    const inside = path.posix.join(containerDirectory, entry.name);
    if (entry.isDirectory()) {
      if (!skippedDirectories.has(entry.name)) found.push(...(await unlessGone(devicesBelow(file, inside), [])));
    } else if (file !== "/dev/console" && file !== "/dev/ptmx") {
      const device = await unlessGone(deviceAt(file, inside), undefined);
      if (device) found.push(device);
    }
    if (found.length > maxDevices) throw new Error(`${directory} has more than ${maxDevices} devices`);
  }
  return found;
}

async function unlessGone<T>(work: Promise<T>, instead: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return instead;
    throw error;
  }
}
