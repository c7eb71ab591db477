import { BerthError, messageOf } from "../../api/errors";
import { type SpecSeccomp, type SpecSyscallArgument, type SpecSyscallRule, specNumber } from "../runtime-spec";

const maxLength = 65536;
const maxErrno = 4095;
const actionPattern = /^SCMP_ACT_(KILL|KILL_THREAD|KILL_PROCESS|TRAP|ERRNO|TRACE|ALLOW|LOG|NOTIFY)$/;
const operatorPattern = /^SCMP_CMP_(NE|LT|LE|EQ|GE|GT|MASKED_EQ)$/;
const flagPattern = /^SECCOMP_FILTER_FLAG_(TSYNC|LOG|SPEC_ALLOW|WAIT_KILLABLE_RECV)$/;
const architecturePattern = /^SCMP_ARCH_[A-Z0-9_]+$/;

type Json = Record<string, unknown>;

/**
 * Checks the text of a seccomp profile (runtime-spec config-linux.md#seccomp). Fields that the spec does not have are
 * left out; a listener is refused, as nobody here would answer it. Throws InvalidArgument, which says where.
 */
export function parseProfile(text: string): SpecSeccomp {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text, exactNumbers as (key: string, value: unknown) => unknown);
  } catch (cause) {
    throw bad(`it is not JSON: ${messageOf(cause)}`);
  }
  const profile = objectAt(parsed, "the profile");
  if (profile.listenerPath) throw bad("listenerPath is not supported");
  const architectures = textsAt(profile.architectures, "architectures", architecturePattern);
  const flags = textsAt(profile.flags, "flags", flagPattern);
  return {
    defaultAction: textAt(profile.defaultAction, "defaultAction", actionPattern),
    ...errnoAt("defaultErrnoRet", profile, "defaultErrnoRet"),
    ...(architectures.length > 0 && { architectures }),
    ...(flags.length > 0 && { flags }),
    syscalls: listAt(profile.syscalls, "syscalls").map((rule, index) => parseRule(rule, `syscalls[${index}]`)),
  };
}

function parseRule(value: unknown, where: string): SpecSyscallRule {
  const rule = objectAt(value, where);
  const names = textsAt(rule.names, `${where}.names`, /^\w+$/);
  if (names.length === 0) throw bad(`${where}.names is empty`);
  const args = listAt(rule.args, `${where}.args`).map((arg, index) => parseArgument(arg, `${where}.args[${index}]`));
  return {
    names,
    action: textAt(rule.action, `${where}.action`, actionPattern),
    ...errnoAt("errnoRet", rule, `${where}.errnoRet`),
    ...(args.length > 0 && { args }),
  };
}

function parseArgument(value: unknown, where: string): SpecSyscallArgument {
  const { index, value: first, valueTwo, op } = objectAt(value, where);
  return {
    index: Number(numberAt(index, `${where}.index`, 5)),
    value: numberAt(first, `${where}.value`),
    ...(valueTwo !== undefined && { valueTwo: numberAt(valueTwo, `${where}.valueTwo`) }),
    op: textAt(op, `${where}.op`, operatorPattern),
  };
}

const bad = (reason: string) => new BerthError("InvalidArgument", reason);

function objectAt(value: unknown, where: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw bad(`${where} is not an object`);
  return value as Json;
}

function listAt(value: unknown, where: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > maxLength) throw bad(`${where} is not a list, or too long`);
  return value;
}

function textAt(value: unknown, where: string, pattern: RegExp): string {
  if (typeof value !== "string" || !pattern.test(value)) throw bad(`${where} is not one of the spec's values`);
  return value;
}

const textsAt = (value: unknown, where: string, pattern: RegExp) =>
  listAt(value, where).map((item, index) => textAt(item, `${where}[${index}]`, pattern));

function numberAt(value: unknown, where: string, most?: number): number | bigint {
  const isWhole = typeof value === "bigint" ? value < 2n ** 64n : Number.isSafeInteger(value);
  const number = value as number | bigint;
  if (!isWhole || number < 0 || (most !== undefined && number > most)) throw bad(`${where} is not a number in range`);
  return number;
}

function errnoAt<Key extends string>(key: Key, object: Json, where: string): { [K in Key]?: number } {
  const value = object[key];
  if (value === undefined || value === null) return {};
  return { [key]: Number(numberAt(value, where, maxErrno)) } as { [K in Key]?: number };
}

// arguments are 64 bits wide, which a double is not; only digits are taken, for BigInt would read other texts too
function exactNumbers(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value) || !/^[0-9]{1,20}$/.test(context.source ?? "")) {
    return value;
  }
  return specNumber(BigInt(context.source!));
}
