import type { Config } from "../../api/config/schema";
import type { StatePaths } from "../state-paths";

/** info: good to know; warning: works, but look at it; error: pods will suffer. */
export type Level = "ok" | "info" | "warning" | "error";

/** One thing that was looked at. */
export interface Finding {
  /** kernel, cgroups, programs, network, space, daemon or leaks. */
  check: string;
  level: Level;
  message: string;
  /** What to do about it. */
  remedy?: string;
}

/** The node that is looked at. */
export interface Node {
  config: Config;
  paths: StatePaths;
  /** What the daemon says there is; undefined where none answers. */
  daemon: DaemonAnswer | undefined;
  /** What is younger may be in the making, and is nobody's leak. */
  minAgeMs: number;
}

export interface DaemonAnswer {
  version: string;
  /** Conditions that do not hold, as "REASON: MESSAGE". */
  unready: string[];
  /** IDs of sandboxes and containers. */
  ids: Set<string>;
}

/** Makes the findings of one check. */
export const findings = (check: string) => {
  const list: Finding[] = [];
  const add = (level: Level) => (message: string, remedy?: string) => {
    list.push({ check, level, message, ...(remedy ? { remedy } : {}) });
  };
  return { list, ok: add("ok"), info: add("info"), warning: add("warning"), error: add("error") };
};
