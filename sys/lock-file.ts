import fs from "node:fs";
import { BerthError } from "../api/errors";
import { check, declare, errnoOf } from "./libc";

const flock = declare("int flock(int fd, int operation)");
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes `file` for this process until it ends or calls what is returned; the kernel lets go of it with the process.
 * Throws FailedPrecondition where another process holds it.
 */
export function takeLockFile(file: string): () => void {
  const fd = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  try {
    check(flock(fd, LOCK_EX | LOCK_NB), "flock", file);
  } catch (error) {
    const holder = fs.readFileSync(file, "utf8").trim();
    fs.closeSync(fd);
    if (errnoOf(error) !== "EAGAIN") throw error;
    throw new BerthError("FailedPrecondition", `another berthd (process ${holder || "unknown"}) holds ${file}`, {
      hint: "stop it, or give this one a root and a state directory of its own",
    });
  }
  // in this order a full disk has room for it
  const holder = `${process.pid}\n`;
  fs.writeSync(fd, holder, 0);
  fs.ftruncateSync(fd, holder.length);
  return () => fs.closeSync(fd);
}
