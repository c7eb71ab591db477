import fs from "node:fs";
import path from "node:path";
import { messageOf } from "../../api/errors";
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
export async function takeAway(leaks: Leak[]): Promise<{ taken: Leak[]; failed: string[] }> {
  const taken: Leak[] = [];
  const failed: string[] = [];
  // processes first: they hold the rest; and of mounts the inner ones before the outer
  const ordered = leaks.toSorted((a, b) => order(a) - order(b) || b.what.length - a.what.length);
  for (const leak of ordered) {
    const take = ways[leak.kind];
    if (!take) continue;
    try {
      await take(leak);
      taken.push(leak);
    } catch (error) {
      failed.push(`${leak.kind} ${leak.what}: ${messageOf(error)}`);
    }
  }
  return { taken, failed };
}

const unmount = ({ what }: Leak) => new HostMounts().unmount(what);

const ways: Partial<Record<LeakKind, (leak: Leak) => void | Promise<void>>> = {
  monitor({ what }) {
    const pid = Number(path.basename(what));
    // all are named before the first of them goes, and a number is given to others again
    const identities = [...descendantsOf(pid), pid].map(identify);
    for (const identity of identities) if (identity) signalProcess(identity, sigkill);
  },
  async "runtime's record"({ what, id }) {
    const root = path.dirname(what);
    const file = findProgram(path.basename(root));
    if (!file) throw new Error(`there is no ${path.basename(root)}`);
    const args = [`--root=${root}`, "delete", "--force", id];
    const { code, stderr } = await runProcess({ file, args, env: { PATH: process.env["PATH"] ?? "" }, timeoutMs });
    if (code !== 0 && fs.existsSync(what)) throw new Error(stderr.trim() || `exit code ${code}`);
  },
  mount: unmount,
  namespace: unmount,
  "exit file": ({ what }) => fs.rmSync(what, { force: true }),
};

const order = ({ kind }: Leak) => Object.keys(ways).indexOf(kind);
