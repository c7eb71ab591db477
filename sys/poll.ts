import { declare } from "./libc";

const poll = declare("int poll(void *fds, unsigned long count, int timeout_ms)");
/** struct pollfd: fd, events, revents */
const pollfdBytes = 8;

export const POLLIN = 1;
export const POLLPRI = 2;

/**
 * What of each descriptor is so right now, of `events` and of errors (poll(2)). Undefined where it can't be told, as when
 * a signal comes in between.
 */
export function pollNow(fds: readonly number[], events: number): number[] | undefined {
  const asked = Buffer.alloc(fds.length * pollfdBytes);
  fds.forEach((fd, index) => {
    asked.writeInt32LE(fd, index * pollfdBytes);
    asked.writeInt16LE(events, index * pollfdBytes + 4);
  });
  if (Number(poll(asked, fds.length, 0)) < 0) return undefined;
  return fds.map((_, index) => asked.readInt16LE(index * pollfdBytes + 6));
}
