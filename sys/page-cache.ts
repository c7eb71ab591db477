import { declare } from "./libc";

const fadvise = declare("int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)");
const POSIX_FADV_DONTNEED = 4;

/**
 * Gives back the memory that holds what was read of the file behind `fd`, or written and synced: for a file that hardly
 * anybody reads again. Its memory is taken for the next, which is at hand, rather than more of the machine's.
 */
export function dropFromPageCache(fd: number): void {
  // advice, of which nothing depends that it is taken
  fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}
