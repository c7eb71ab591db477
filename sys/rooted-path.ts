import fs from "node:fs";
import path from "node:path";
import { BerthError } from "../api/errors";
import { check, declareSyscall, errnoOf, SystemCallError, withFd } from "./libc";

/**
 * Looking at the files of a container's root filesystem from outside. Everything in it was written by somebody else: a
 * path may be a link to the host, a FIFO that blocks or a device. Here no path leads out of the root, nothing but
 * regular files is opened, and no read is longer than its limit.
 */
const openat2 = declareSyscall(437, "int, str, void *, ulong");

const AT_FDCWD = -100;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
const OPEN_HOW_SIZE = 24;
// path_resolution(7): what the kernel allows for one path
const maxLinks = 40;

function openAt(directory: number, name: string, flags: number, resolve: number): number {
  const how = Buffer.alloc(OPEN_HOW_SIZE);
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  for (let attempt = 0; ; attempt++) {
    try {
      return check(openat2(directory, name, how, OPEN_HOW_SIZE), "openat2", name);
    } catch (error) {
      // a rename elsewhere raced with the look-up of ".."; openat2(2) asks to try again
      if (errnoOf(error) !== "EAGAIN" || attempt === 10) throw error;
    }
  }
}

/** An O_PATH descriptor of `inside` under `root`, links resolved as if `root` were "/". Throws SystemCallError. */
export function openInRoot(root: string, inside: string, flags = 0): number {
  if (inside.includes("\0")) throw new SystemCallError("openat2", "", "EINVAL");
  return withFd(openAt(AT_FDCWD, root, O_PATH | fs.constants.O_DIRECTORY, 0), (fd) =>
    openAt(fd, inside, O_PATH | flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS),
  );
}

/** Whether an error says that there is nothing at the path. */
const isAbsence = (error: unknown) => errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR";

export interface RootedFile {
  /** A directory of the host. */
  root: string;
  /** The path as a process inside sees it. */
  path: string;
  /** A larger file is refused. */
  limitBytes: number;
}

/**
 * The chunks of a regular file inside a root, at most 64 KiB each; undefined where there is no such file.
 * Throws InvalidArgument for anything that is not a regular file, is over the limit, or cannot be opened.
 */
export function readChunksInRoot(file: RootedFile): Iterable<Buffer> | undefined {
  const opened = openFileInRoot(file);
  return opened === undefined ? undefined : chunksOf(opened, file);
}

/** Throws where `readChunksInRoot` would at once, for a file that somebody else is going to read. */
export function checkFileInRoot(file: RootedFile): void {
  const opened = openFileInRoot(file);
  if (opened !== undefined) fs.closeSync(opened);
}

function openFileInRoot(file: RootedFile): number | undefined {
  let found: number;
  try {
    found = openInRoot(file.root, file.path);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw new BerthError("InvalidArgument", `${file.path} of the container: ${errnoOf(error) ?? "unreadable"}`, {
      cause: error,
    });
  }
  // the type is known before anything is opened for reading: opening alone can block, or do things to a device
  return withFd(found, (fd) => {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw new BerthError("InvalidArgument", `${file.path} of the container is not a regular file`);
    if (stat.size > file.limitBytes) throw tooLarge(file);
    return fs.openSync(`/proc/self/fd/${fd}`, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  });
}

const tooLarge = (file: RootedFile) =>
  new BerthError("InvalidArgument", `${file.path} of the container has more than ${file.limitBytes} bytes`);

function* chunksOf(fd: number, file: RootedFile): Iterable<Buffer> {
  try {
    let total = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(65536);
      const length = fs.readSync(fd, chunk, 0, chunk.length, null);
      if (length === 0) return;
      // the size that fstat told may have been a lie, as FUSE files and growing ones tell it
      total += length;
      if (total > file.limitBytes) throw tooLarge(file);
      yield chunk.subarray(0, length);
    }
  } finally {
    fs.closeSync(fd);
  }
}

/** The whole of such a file; undefined where there is none. Throws as `readChunksInRoot`. */
export function readFileInRoot(file: RootedFile): Buffer | undefined {
  const chunks = readChunksInRoot(file);
  return chunks && Buffer.concat([...chunks]);
}

/**
 * The host's path of a directory inside a root, free of links; undefined where there is none or it is no directory.
 * It stays true only as long as nothing renames inside the root: use it before the container starts.
 */
export function directoryInRoot(root: string, inside: string): string | undefined {
  try {
    return withFd(openInRoot(root, inside, fs.constants.O_DIRECTORY), (fd) => fs.readlinkSync(`/proc/self/fd/${fd}`));
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/**
 * `inside` with every link replaced, as a path inside the root; what does not exist is taken as it is written, which
 * openat2 cannot do. For judging a path by its text, not for opening it. `passed` hears of every place on the way. Throws
 * InvalidArgument for a loop of links.
 */
export function resolveTextInRoot(root: string, inside: string, passed?: (place: string) => void): string {
  let resolved = "/";
  let links = 0;
  const pending = inside.split("/").reverse();
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      resolved = path.posix.dirname(resolved);
      continue;
    }
    const next = path.posix.join(resolved, part);
    const target = linkTarget(root + next);
    if (target === undefined) {
      resolved = next;
      passed?.(resolved);
      continue;
    }
    if (++links > maxLinks) throw new BerthError("InvalidArgument", `${inside} has too many levels of links`);
    if (target.startsWith("/")) resolved = "/";
    pending.push(...target.split("/").reverse());
  }
  return resolved;
}

function linkTarget(file: string): string | undefined {
  try {
    return fs.readlinkSync(file);
  } catch {
    return undefined;
  }
}
