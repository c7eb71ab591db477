import fs from "node:fs";
import koffi from "koffi";
import { BerthError } from "../api/errors";

/**
 * The C library's functions that Node has no word for. Every call here is synchronous: koffi's asynchronous calls run
 * on libuv's threads, where a namespace or a chroot would be changed for whoever comes after.
 */
const lib = koffi.load("libc.so.6");
const raw = lib.func.bind(lib) as (prototype: string) => (...args: unknown[]) => number | bigint;

/** Second names of the same numbers; Node's own errors have the first. */
const errnoAliases = new Set(["EWOULDBLOCK", "EDEADLOCK", "EOPNOTSUPP"]);
const errnoNames = new Map<number, string>(
  Object.entries(koffi.os.errno)
    .filter(([name]) => !errnoAliases.has(name))
    .map(([name, value]) => [value as number, name]),
);

/** A system call that failed; `code` is the errno's name, such as "ENOENT", as in Node's own errors. */
export class SystemCallError extends BerthError {
  readonly errno: string;

  constructor(call: string, subject: string, errno: string) {
    const full = errno === "ENOSPC" || errno === "EDQUOT" || errno === "EMFILE" || errno === "ENFILE";
    super(full ? "ResourceExhausted" : "Internal", `${call}${subject ? ` ${subject}` : ""}: ${errno}`);
    this.errno = errno;
  }
}

/** The errno's name of any error of this room or of Node's fs. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof SystemCallError) return error.errno;
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** Throws what errno says where `result` is negative; errno must not have been touched since. */
export function check(result: number | bigint, call: string, subject = ""): number {
  if (result < 0) {
    const errno = koffi.errno();
    throw new SystemCallError(call, subject, errnoNames.get(errno) ?? `errno ${errno}`);
  }
  return Number(result);
}

/** For functions that return an error number and leave errno alone (posix_spawn and its kin). */
export function checkReturned(error: number, call: string, subject = ""): void {
  if (error !== 0) throw new SystemCallError(call, subject, errnoNames.get(error) ?? `errno ${error}`);
}

/** Declares a function of the C library. */
export const declare = raw;

/**
 * Where a buffer's bytes lie, for structures that point to others. Only for 512 bytes and more, which V8 does not move,
 * and only as long as the buffer is held.
 */
export const addressOf = (bytes: Buffer): bigint => BigInt(koffi.address(bytes));

const syscallPrototypes = new Map<string, (...args: unknown[]) => number | bigint>();

/** Declares a raw system call: syscall(2) with fixed arguments, for what glibc 2.36 has no wrapper for. */
export function declareSyscall(number: number, parameters: string): (...args: unknown[]) => number | bigint {
  let call = syscallPrototypes.get(parameters);
  if (!call) {
    call = lib.func("syscall", "long", ["long", ...parameters.split(",").map((p) => p.trim())]);
    syscallPrototypes.set(parameters, call);
  }
  return (...args) => call(number, ...args);
}

/** Runs `use` with an open descriptor and closes it whatever happens. */
export function withFd<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } finally {
    fs.closeSync(fd);
  }
}
