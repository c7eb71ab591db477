import fs from "node:fs";
import { errnoOf } from "./libc";

/** A process that can't be taken for a later one with the same number. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot (proc_pid_stat(5), field 22), decimal. */
  startTime: string;
}

interface ProcessStat {
  state: string;
  startTime: string;
}

/** Throws where it can't be told, for lack of descriptors: who is not seen is not dead. */
function readStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ESRCH") return undefined;
    throw error;
  }
  // the name in parentheses may hold anything, so count from its end
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0]!, startTime: fields[19]! };
}

/** Who `pid` is now; undefined where there is no such process. Throws what keeps it from being told, as the next two do. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  return stat && { pid, startTime: stat.startTime };
}

/** Whether it is still there and runs; a zombie does not. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  const stat = readStat(pid);
  return stat !== undefined && stat.startTime === startTime && stat.state !== "Z" && stat.state !== "X";
}

/** Whether it does nothing any more: halted by a signal, or gone. */
export function isHalted({ pid, startTime }: ProcessIdentity): boolean {
  const stat = readStat(pid);
  return stat === undefined || stat.startTime !== startTime || "TtZX".includes(stat.state);
}

/** Sends a signal to that process and no other; false where it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: number): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** The processes that `pid` has started, and those that they have, as long as their parents live. */
export function descendantsOf(pid: number): number[] {
  const found: number[] = [];
  const visit = (each: number) => {
    for (const child of childrenOf(each)) {
      found.push(child);
      visit(child);
    }
  };
  visit(pid);
  return found;
}

/** A child belongs to the thread that has started it. */
function childrenOf(pid: number): number[] {
  try {
    return fs
      .readdirSync(`/proc/${pid}/task`)
      .flatMap((thread) => fs.readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1").trim().split(" "))
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}
