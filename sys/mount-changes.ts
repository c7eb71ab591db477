import fs from "node:fs";
import { declare } from "./libc";

const poll = declare("int poll(void *fds, unsigned long count, int timeout_ms)");
const POLLPRI = 2;

/**
 * Tells in one system call whether anything was mounted or unmounted, by whomever, since it was last asked (proc_pid_mounts(5):
 * poll() on the file). What was learnt of mounts holds as long as nothing was.
 */
export class MountChanges {
  private readonly fd = fs.openSync("/proc/self/mounts", "r");

  /** True also where it can't be told, as when a signal comes in between. */
  haveHappened(): boolean {
    // struct pollfd: fd, events, revents
    const asked = Buffer.alloc(8);
    asked.writeInt32LE(this.fd, 0);
    asked.writeInt16LE(POLLPRI, 4);
    if (Number(poll(asked, 1, 0)) < 0) return true;
    return (asked.readInt16LE(6) & POLLPRI) !== 0;
  }
}
