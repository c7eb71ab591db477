import fs from "node:fs";
import { POLLPRI, pollNow } from "./poll";

/**
 * Tells in one system call whether anything was mounted or unmounted, by whomever, since it was last asked (proc_pid_mounts(5):
 * poll() on the file). What was learnt of mounts holds as long as nothing was.
 */
export class MountChanges {
  private readonly fd = fs.openSync("/proc/self/mounts", "r");

  /** True also where it can't be told. */
  haveHappened(): boolean {
    const seen = pollNow([this.fd], POLLPRI);
    return seen === undefined || (seen[0]! & POLLPRI) !== 0;
  }
}
