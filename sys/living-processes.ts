import fs from "node:fs";
import { FirstOfTurn } from "./first-of-turn";
import { declareSyscall } from "./libc";
import { POLLIN, pollNow } from "./poll";
import { isAlive, type ProcessIdentity } from "./process-identity";

const pidfdOpen = declareSyscall(434, "int, unsigned int");

/**
 * Tells of many processes at once whether they are alive, in one system call: /proc would take three for each of them. A
 * descriptor of each is kept for that until it has ended (pidfd_open(2): it can be read from then on, also of a zombie).
 */
export class LivingProcesses {
  private readonly watched = new Map<string, number>();
  private readonly turn = new FirstOfTurn();

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

  private forgetEnded(): void {
    if (this.watched.size === 0 || !this.turn.isFirst()) return;
    const seen = pollNow([...this.watched.values()], POLLIN);
    [...this.watched].forEach(([key, fd], index) => {
      // where it can't be told, each is looked at anew
      if (seen?.[index] === 0) return;
      this.watched.delete(key);
      fs.closeSync(fd);
    });
  }
}
