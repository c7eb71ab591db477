import { check, declare } from "./libc";

const utimensat = declare("int utimensat(int directory, const char *path, const void *times, int flags)");
const futimens = declare("int futimens(int fd, const void *times)");
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const nsPerSecond = 1_000_000_000n;

/** Two `struct timespec`, access and modification. Before 1970 the seconds are negative, the nanoseconds never. */
function timespecs(modifiedNs: bigint): Buffer {
  let seconds = modifiedNs / nsPerSecond;
  let nanoseconds = modifiedNs % nsPerSecond;
  if (nanoseconds < 0n) {
    nanoseconds += nsPerSecond;
    seconds -= 1n;
  }
  const times = Buffer.allocUnsafe(32);
  for (const offset of [0, 16]) {
    times.writeBigInt64LE(seconds, offset);
    times.writeBigInt64LE(nanoseconds, offset + 8);
  }
  return times;
}

/**
 * Sets both times of `path` itself (never of what a link leads to) to `modifiedNs`, ns since 1970; Node's own calls
 * lose the last digits in a double. A Buffer ends with NUL. Throws Internal with the errno.
 */
export function setFileTimes(path: string | Buffer, modifiedNs: bigint): void {
  check(utimensat(AT_FDCWD, path, timespecs(modifiedNs), AT_SYMLINK_NOFOLLOW), "utimensat", String(path));
}

/** The same for an open file. */
export function setOpenFileTimes(fd: number, modifiedNs: bigint): void {
  check(futimens(fd, timespecs(modifiedNs)), "futimens", `descriptor ${fd}`);
}
