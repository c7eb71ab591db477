import fs from "node:fs";
import { identify, type ProcessIdentity } from "./process-identity";

/**
 * The processes that were started with one of `values` for the variable `name`, which children inherit. One whose
 * memory is gone already, such as a zombie, has no environment any more and is none of them. Reads /proc as a whole:
 * some 20 µs a process.
 */
export function processesByEnvironment(name: string, values: ReadonlySet<string>): ProcessIdentity[] {
  const isNumber = (entry: string) => /^\d+$/.test(entry);
  return fs
    .readdirSync("/proc")
    .filter(isNumber)
    .flatMap((entry) => {
      // known first: what is read after it is then of this process or of none
      const identity = identify(Number(entry));
      const value = identity && environmentOf(identity.pid).find((each) => each.startsWith(`${name}=`));
      return value && values.has(value.slice(name.length + 1)) ? [identity] : [];
    });
}

function environmentOf(pid: number): string[] {
  try {
    return fs.readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
  } catch {
    return [];
  }
}
