import fs from "node:fs";
import type { SpecNumber, SpecRlimit } from "../runtime-spec";
import { specNumber } from "../runtime-spec";
import { invalid, quote } from "./check-text";

export interface RlimitsInput {
  ulimits: { type: string; soft: SpecNumber; hard: SpecNumber }[];
  /** Without it, nobody can be given a higher hard limit than the daemon has. */
  hasSysResource: boolean;
  limitsFile?: string;
}

const infinity = 2n ** 64n - 1n;
/** The titles of proc_pid_limits(5). */
const titles: Record<string, string> = {
  RLIMIT_AS: "Max address space",
  RLIMIT_CORE: "Max core file size",
  RLIMIT_CPU: "Max cpu time",
  RLIMIT_DATA: "Max data size",
  RLIMIT_FSIZE: "Max file size",
  RLIMIT_LOCKS: "Max file locks",
  RLIMIT_MEMLOCK: "Max locked memory",
  RLIMIT_MSGQUEUE: "Max msgqueue size",
  RLIMIT_NICE: "Max nice priority",
  RLIMIT_NOFILE: "Max open files",
  RLIMIT_NPROC: "Max processes",
  RLIMIT_RSS: "Max resident set",
  RLIMIT_RTPRIO: "Max realtime priority",
  RLIMIT_RTTIME: "Max realtime timeout",
  RLIMIT_SIGPENDING: "Max pending signals",
  RLIMIT_STACK: "Max stack size",
};

/** process.rlimits, cut to the daemon's own hard limits where it cannot raise them. -1 is no limit. */
export function rlimits({ ulimits, hasSysResource, limitsFile = "/proc/self/limits" }: RlimitsInput): SpecRlimit[] {
  if (ulimits.length === 0) return [];
  const own = hasSysResource ? "" : fs.readFileSync(limitsFile, "utf8");
  return ulimits.map(({ type, soft, hard }) => {
    const title = titles[type];
    if (title === undefined) throw invalid(`the resource limit ${quote(type)} is unknown`);
    const ceiling = hasSysResource ? infinity : hardLimitOf(own, title);
    const cutHard = least(unsigned(hard), ceiling);
    return { type, hard: specNumber(cutHard), soft: specNumber(least(unsigned(soft), cutHard)) };
  });
}

const unsigned = (value: SpecNumber) => (value < 0 ? infinity : BigInt(value));
const least = (a: bigint, b: bigint) => (a < b ? a : b);

function hardLimitOf(limits: string, title: string): bigint {
  const line = limits.split("\n").find((text) => text.startsWith(title)) ?? "";
  const hard = line.slice(title.length).trim().split(/\s+/)[1];
  return hard && /^[0-9]+$/.test(hard) ? BigInt(hard) : infinity;
}
