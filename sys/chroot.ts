import fs from "node:fs";
import { isMainThread } from "node:worker_threads";
import { BerthError } from "../api/errors";
import { check, declare } from "./libc";

const unshare = declare("int unshare(int flags)");
const chroot = declare("int chroot(const char *path)");
const chdir = declare("int chdir(const char *path)");
const fchdir = declare("int fchdir(int fd)");
const CLONE_FS = 0x200;

/**
 * Makes `directory` the root of this worker thread's file system: no path, `..` or link leads out of it. Only
 * synchronous calls of `fs` run on this thread, so only they are confined. What the thread needs from outside (modules,
 * descriptors) is opened before. Returns the way back. Throws Internal on the main thread, whose root is shared by all
 * of libuv's.
 */
export function confineThread(directory: string): () => void {
  if (isMainThread) throw new BerthError("Internal", `the main thread cannot be confined to ${directory}`);
  check(unshare(CLONE_FS), "unshare", "CLONE_FS");
  const outside = fs.openSync("/", fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    check(chroot(directory), "chroot", directory);
    check(chdir("/"), "chdir", "/");
  } catch (error) {
    fs.closeSync(outside);
    throw error;
  }
  return () => {
    check(fchdir(outside), "fchdir", "/");
    check(chroot("."), "chroot", "back");
    fs.closeSync(outside);
  };
}
