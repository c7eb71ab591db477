import fs from "node:fs";
import { declare, declareSyscall } from "./libc";
import { isAlive, type ProcessIdentity } from "./process-identity";

const pidfdOpen = declareSyscall(434, "int, unsigned int");
const poll = declare("int poll(void *fds, unsigned long count, int timeout_ms)");
const POLLIN = 1;
/** struct pollfd: fd, events, revents */
const pollSize = 8;

/**
 * Tells of many processes at once whether they are alive, in one system call: /proc would take three for each of them. A
 * descriptor of each is kept for that until it has ended (pidfd_open(2): it can be read from then on, also of a zombie).
 */
export class LivingProcesses {
  private watched = new Map<string, number>();
  private isFresh = false;

  /** As isAlive() of process-identity.ts. */
  isAlive(identity: ProcessIdentity): boolean {
    this.forgetEnded();
    const key = `${identity.pid} ${identity.startTime}`;
    if (this.watched.has(key)) return true;
    const fd = Number(pidfdOpen(identity.pid, 0));
    let lives = false;
    try {
      // only after the descriptor is there: until now it may have ended, and its number gone to another
      lives = isAlive(identity);
    } finally {
      if (lives && fd >= 0) this.watched.set(key, fd);
      else if (fd >= 0) fs.closeSync(fd);
    }
    return lives;
  }

  /** Lists ask of hundreds at a time: the kernel is asked once for all that run before anything is awaited. */
  private forgetEnded(): void {
    if (this.isFresh || this.watched.size === 0) return;
    this.isFresh = true;
    queueMicrotask(() => {
      this.isFresh = false;
    });
    const asked = Buffer.alloc(this.watched.size * pollSize);
    const entries = [...this.watched];
    entries.forEach(([, fd], index) => {
      asked.writeInt32LE(fd, index * pollSize);
      asked.writeInt16LE(POLLIN, index * pollSize + 4);
    });
    const isTold = Number(poll(asked, entries.length, 0)) >= 0;
    entries.forEach(([key, fd], index) => {
      // where it can't be told, each is looked at anew
      if (isTold && asked.readInt16LE(index * pollSize + 6) === 0) return;
      this.watched.delete(key);
      fs.closeSync(fd);
    });
  }
}
