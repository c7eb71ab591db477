import fs from "node:fs/promises";
import { BerthError, messageOf } from "../../api/errors";
import { errnoOf } from "../../sys/libc";
import { type SpecSeccomp, type SpecSyscallArgument, type SpecSyscallRule, specNumber } from "../runtime-spec";

const limitBytes = 4 * 1024 * 1024;
const maxRules = 65536;
const actions = /^SCMP_ACT_(KILL|KILL_THREAD|KILL_PROCESS|TRAP|ERRNO|TRACE|ALLOW|LOG|NOTIFY)$/;
const operators = /^SCMP_CMP_(NE|LT|LE|EQ|GE|GT|MASKED_EQ)$/;
const flags = /^SECCOMP_FILTER_FLAG_(TSYNC|LOG|SPEC_ALLOW|WAIT_KILLABLE_RECV)$/;

const cache = new Map<string, { stamp: string; profile: SpecSeccomp }>();

/**
 * A seccomp profile of the node's, as the runtime spec has it (config-linux.md#seccomp). It is read again when the
 * file changes, and at most 4 MiB of it. Throws InvalidArgument for a path that is not absolute, a file that is not
 * there, and what is no profile. A listener is refused: nobody here would answer it.
 */
export async function readProfile(file: string): Promise<SpecSeccomp> {
  if (!file.startsWith("/") || file.includes("\0")) throw bad(file, "the path is not absolute");
  let handle: fs.FileHandle;
  try {
    // O_NONBLOCK so that a FIFO is found out instead of waited for
    handle = await fs.open(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (cause) {
    throw bad(file, errnoOf(cause) === "ENOENT" ? "there is no such file" : messageOf(cause));
  }
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) throw bad(file, "it is not a regular file");
    if (stat.size > limitBytes) throw bad(file, `it has more than ${limitBytes} bytes`);
    const stamp = [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(":");
    const known = cache.get(file);
    if (known?.stamp === stamp) return known.profile;
    const profile = parseProfile(file, (await handle.readFile()).toString("utf8"));
    if (cache.size >= 64) cache.clear();
    cache.set(file, { stamp, profile });
    return profile;
  } finally {
    await handle.close();
  }
}

const bad = (file: string, reason: string) =>
  new BerthError("InvalidArgument", `the seccomp profile ${JSON.stringify(file.slice(0, 300))}: ${reason}`);

/** Checks the text of a profile. `file` is for messages. Throws InvalidArgument. */
export function parseProfile(file: string, text: string): SpecSeccomp {
  const check = (condition: boolean, reason: string): void => {
    if (!condition) throw bad(file, reason);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text, exactNumbers as (key: string, value: unknown) => unknown);
  } catch (cause) {
    throw bad(file, `it is not JSON: ${messageOf(cause)}`);
  }
  check(isObject(parsed), "it is not a JSON object");
  const profile = parsed as Record<string, unknown>;
  const action = (value: unknown, where: string) =>
    check(typeof value === "string" && actions.test(value), `${where} is not an action`);
  const list = (value: unknown, where: string): unknown[] => {
    check(value === undefined || value === null || Array.isArray(value), `${where} is not a list`);
    check(((value as unknown[]) ?? []).length <= maxRules, `${where} is too long`);
    return (value as unknown[] | undefined) ?? [];
  };
  const texts = (value: unknown, where: string): string[] => {
    const all = list(value, where);
    check(
      all.every((item) => typeof item === "string"),
      `${where} has something that is not a text`,
    );
    return all as string[];
  };
  const errno = (value: unknown, where: string) =>
    check(value === undefined || value === null || isNumber(value, 4095), `${where} is not an error number`);

  action(profile.defaultAction, "defaultAction");
  errno(profile.defaultErrnoRet, "defaultErrnoRet");
  check(profile.listenerPath === undefined, "listenerPath is not supported");
  const architectures = texts(profile.architectures, "architectures");
  check(
    architectures.every((name) => /^SCMP_ARCH_[A-Z0-9_]+$/.test(name)),
    "architectures has an unknown name",
  );
  const filterFlags = texts(profile.flags, "flags");
  check(
    filterFlags.every((name) => flags.test(name)),
    "flags has an unknown name",
  );

  const syscalls = list(profile.syscalls, "syscalls").map((item, index): SpecSyscallRule => {
    const where = `syscalls[${index}]`;
    check(isObject(item), `${where} is not an object`);
    const rule = item as Record<string, unknown>;
    action(rule.action, `${where}.action`);
    errno(rule.errnoRet, `${where}.errnoRet`);
    const names = texts(rule.names, `${where}.names`);
    check(names.length > 0, `${where}.names is empty`);
    const args = list(rule.args, `${where}.args`).map((value, position): SpecSyscallArgument => {
      const at = `${where}.args[${position}]`;
      check(isObject(value), `${at} is not an object`);
      const argument = value as Record<string, unknown>;
      check(isNumber(argument.index, 5), `${at}.index is not a number from 0 to 5`);
      check(typeof argument.op === "string" && operators.test(argument.op), `${at}.op is unknown`);
      check(isNumber(argument.value), `${at}.value is not a number`);
      check(argument.valueTwo === undefined || isNumber(argument.valueTwo), `${at}.valueTwo is not a number`);
      return argument as unknown as SpecSyscallArgument;
    });
    return {
      names,
      action: rule.action as string,
      ...(typeof rule.errnoRet === "number" && { errnoRet: rule.errnoRet }),
      ...(args.length > 0 && { args }),
    };
  });
  return {
    defaultAction: profile.defaultAction as string,
    ...(typeof profile.defaultErrnoRet === "number" && { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(architectures.length > 0 && { architectures }),
    ...(filterFlags.length > 0 && { flags: filterFlags }),
    ...(syscalls.length > 0 && { syscalls }),
  };
}

const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);

function isNumber(value: unknown, most?: number): boolean {
  if (typeof value === "bigint") return most === undefined && value >= 0n && value < 2n ** 64n;
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && (most === undefined || value <= most);
}

// arguments are 64 bits wide, which a double is not
function exactNumbers(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value) || !/^[0-9]+$/.test(context.source ?? "")) return value;
  return specNumber(BigInt(context.source!));
}
