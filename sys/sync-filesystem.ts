import fs from "node:fs";
import { isMainThread } from "node:worker_threads";
import { BerthError } from "../api/errors";
import { check, declare, withFd } from "./libc";

const syncfs = declare("int syncfs(int fd)");

/**
 * Waits until all that was written to the file system of `directory` is on its disk, which can take seconds: for worker
 * threads alone. Throws Internal with the errno (EIO where data was lost).
 */
export function syncFilesystem(directory: string): void {
  if (isMainThread) throw new BerthError("Internal", `syncfs of ${directory} would stop the daemon meanwhile`);
  withFd(fs.openSync(directory, "r"), (fd) => check(syncfs(fd), "syncfs", directory));
}
