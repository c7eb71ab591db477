import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { iptablesRules, mounts, processes } from "../../hack/support/machine.cjs";
import type { TestDaemon } from "./daemon";

/** All that a daemon and its pods have on the machine, as lines to compare. */
export interface WhatThereIs {
  mounts: string[];
  cgroups: string[];
  processes: string[];
  addresses: string[];
  links: string[];
  rules: string[];
  files: string[];
}

const read = (file: string) => {
  try {
    return fs.readFileSync(file, "latin1");
  } catch {
    return ""; // gone meanwhile
  }
};

/**
 * Counts what a daemon has made, all of whose pods have cgroups below `cgroup`. Its pods' logs are not counted: who has
 * asked for them removes them.
 */
export function whatThereIs(daemon: TestDaemon, cgroup: string): WhatThereIs {
  const within = (text: string) => text.includes(`${daemon.directory}/`);
  const all = mounts();
  const running = processes();
  const hierarchies = all.filter(({ type }) => type === "cgroup" || type === "cgroup2");
  return {
    // a pinned namespace is one too
    mounts: all
      .filter(({ point }) => within(point))
      .map(({ point, type }) => `${point} (${type})`)
      .sort(),
    cgroups: hierarchies.flatMap(({ point }) => directoriesBelow(path.join(point, cgroup))).sort(),
    // a runtime names the directory, a plugin has it in its environment, a container's process is in the cgroup
    processes: running
      // a shell that is about to run something else
      .filter(({ parent, args }) => !running.some(({ pid, args: its }) => pid === parent && its === args))
      .filter(({ pid }) => pid !== daemon.child?.pid && pid !== process.pid)
      .filter(
        ({ pid, args }) =>
          within(args) || read(`/proc/${pid}/cgroup`).includes(cgroup) || within(read(`/proc/${pid}/environ`)),
      )
      .map(({ pid, command, args }) => `${pid} ${command} ${args}`)
      .sort(),
    addresses: daemon.allocatedAddresses().sort(),
    links: list(`/sys/class/net/${daemon.bridge}/brif`),
    rules: iptablesRules("iptables").filter((rule) => rule.includes(daemon.network)),
    files: [daemon.root, daemon.state, daemon.cniCacheDir].flatMap(filesBelow).sort(),
  };
}

/** What is there now and was not before, or the other way round. Looks again for 8 s before it tells. */
export async function changes(look: () => WhatThereIs, before: WhatThereIs): Promise<string[]> {
  const until = performance.now() + 8000;
  const difference = () => {
    const now = look();
    return (Object.keys(before) as (keyof WhatThereIs)[]).flatMap((kind) => [
      ...now[kind].filter((each) => !before[kind].includes(each)).map((each) => `${kind}: new: ${each}`),
      ...before[kind].filter((each) => !now[kind].includes(each)).map((each) => `${kind}: gone: ${each}`),
    ]);
  };
  for (;;) {
    const lines = difference();
    if (lines.length === 0 || performance.now() > until) return lines;
    await sleep(50);
  }
}

const quiet = { throwIfNoEntry: false } as const;

function list(directory: string): string[] {
  try {
    return fs.readdirSync(directory).sort();
  } catch {
    return [];
  }
}

function directoriesBelow(directory: string): string[] {
  if (!fs.existsSync(directory)) return [];
  const inner = list(directory).filter((name) => fs.statSync(path.join(directory, name), quiet)?.isDirectory());
  return [directory, ...inner.flatMap((name) => directoriesBelow(path.join(directory, name)))];
}

/** A mounted tree is its own; what is mounted is counted by its mount point. */
function filesBelow(directory: string): string[] {
  const device = fs.statSync(directory, quiet)?.dev;
  if (device === undefined) return [];
  return list(directory).flatMap((name) => {
    const file = path.join(directory, name);
    const stat = fs.lstatSync(file, quiet);
    if (!stat) return [];
    return stat.isDirectory() && stat.dev === device ? [file, ...filesBelow(file)] : [file];
  });
}
