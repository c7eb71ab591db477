import fs from "node:fs";
import { check, declareSyscall, errnoOf, withFd } from "./libc";
import { setTerminalSize, type TerminalSize } from "./terminal";

// the same numbers on every architecture (pidfd_open(2), pidfd_getfd(2))
const pidfdOpen = declareSyscall(434, "int, unsigned int");
const pidfdGetfd = declareSyscall(438, "int, int, unsigned int");

/**
 * Sets the size of the terminal that a process of ours holds the controlling side of; false where it holds none (yet).
 * The descriptor is borrowed from that process, so that nothing is asked of the side that a container has.
 */
export function resizeHeldTerminal(pid: number, size: TerminalSize): boolean {
  try {
    const held = fs
      .readdirSync(`/proc/${pid}/fd`)
      .find((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`).endsWith("/ptmx"));
    if (held === undefined) return false;
    return withFd(check(pidfdOpen(pid, 0), "pidfd_open"), (process) =>
      withFd(check(pidfdGetfd(process, Number(held), 0), "pidfd_getfd"), (terminal) => {
        setTerminalSize(terminal, size);
        return true;
      }),
    );
  } catch (error) {
    // it has ended, or closed the descriptor meanwhile
    if (["ENOENT", "ESRCH", "EBADF"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}
