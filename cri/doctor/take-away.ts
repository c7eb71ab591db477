import fs from "node:fs";
import path from "node:path";
import type { Config } from "../../api/config/schema";
import { messageOf } from "../../api/errors";
import { endCgroup } from "../../sys/cgroups";
import { HostMounts } from "../../sys/mounts";
import { descendantsOf, identify, signalProcess } from "../../sys/process-identity";
import { findProgram, runProcess } from "../../sys/spawn";
import type { Leak, LeakKind } from "./leaks";

const sigkill = 9;
const timeoutMs = 10_000;

/**
 * Takes away what belongs to nobody, of those kinds that can be no other runtime's, nor another Berth's. Returns what
 * went and what did not.
 */
export async function takeAway(leaks: Leak[], config: Config): Promise<{ taken: Leak[]; failed: string[] }> {
  const taken: Leak[] = [];
  const failed: string[] = [];
  // processes first: they hold the rest; and of mounts the inner ones before the outer
  const ordered = leaks.toSorted((a, b) => order(a) - order(b) || b.what.length - a.what.length);
  for (const leak of ordered) {
    const take = ways[leak.kind];
    if (!take) continue;
    try {
      await take(leak, config);
      taken.push(leak);
    } catch (error) {
      failed.push(`${leak.kind} ${leak.what}: ${messageOf(error)}`);
    }
  }
  return { taken, failed };
}

const unmount = ({ what }: Leak) => new HostMounts().unmount(what);

const ways: Partial<Record<LeakKind, (leak: Leak, config: Config) => void | Promise<void>>> = {
  monitor({ what }) {
    const pid = Number(path.basename(what));
    // all are named before the first of them goes, and a number is given to others again
    const identities = [...descendantsOf(pid), pid].map(identify);
    for (const identity of identities) if (identity) signalProcess(identity, sigkill);
  },
  async "runtime's record"({ what, id }, config) {
    const root = path.dirname(what);
    const handler = path.basename(root);
    const file = findProgram(config.runtime.handlers[handler]?.path || handler);
    if (!file) throw new Error(`there is no ${handler}`);
    const args = [`--root=${root}`, "delete", "--force", id];
    await runProcess({ file, args, env: { PATH: process.env["PATH"] ?? "" }, timeoutMs });
    // a record that is damaged or hardly begun it does not take; what runs is ended with its cgroup
    fs.rmSync(what, { recursive: true, force: true });
  },
  async "container's cgroup"({ what }) {
    await endCgroup(what);
  },
  mount: unmount,
  namespace: unmount,
  volume: ({ what }) => fs.rmSync(what, { recursive: true, force: true }),
  "exit file": ({ what }) => fs.rmSync(what, { force: true }),
};

const order = ({ kind }: Leak) => Object.keys(ways).indexOf(kind);
