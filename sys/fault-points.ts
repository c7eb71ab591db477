import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BerthError } from "../api/errors";

/** Set by the bundler: true where the switch is built in, false in a release. */
declare const BERTH_FAULTS: boolean | undefined;

/**
 * The steps at which a fault can be asked for, by the RPC whose work they are, in their order. A point lies before the
 * step that it is named for; those named for what was done lie right behind it, with the next step still to come.
 */
export const faultPoints = {
  RunPodSandbox: [
    "directory",
    "record",
    "namespaces",
    "files",
    "shm",
    "cgroup-claim",
    "cgroup",
    "network",
    "network-plugins",
    "network-next-plugin",
    "network-result",
    "network-done",
    "holder-root",
    "holder-run",
    "holder-started",
    "holder-pin",
    "ready",
    "answer",
  ],
  CreateContainer: [
    "bundle",
    "log",
    "rootfs",
    "rootfs-mount",
    "image-volume",
    "image-volume-mounted",
    "spec",
    "monitor",
    "monitor-started",
    "made",
    "record",
    "answer",
  ],
  StartContainer: ["runtime", "runtime-started", "record", "answer"],
  StopContainer: ["signal", "kill", "exit", "processes", "runtime", "cgroup", "answer"],
  RemoveContainer: ["stop", "image-volumes", "rootfs", "volumes", "exit-file", "bundle", "forget", "answer"],
  StopPodSandbox: [
    "containers",
    "record",
    "holder",
    "network",
    "network-next-plugin",
    "network-record",
    "mounts",
    "namespaces",
    "files",
    "stopped",
    "answer",
  ],
  RemovePodSandbox: ["stop", "containers", "cgroups", "files", "forget", "answer"],
  PullImage: [
    "manifest",
    "blob",
    "blob-rename",
    "blob-renamed",
    "unpack",
    "unpacking",
    "unpacked",
    "layer-record",
    "commit-sync",
    "commit-rename",
    "commit-renamed",
    "record",
    "recorded",
    "answer",
  ],
} as const satisfies Record<string, readonly string[]>;

export type FaultyRpc = keyof typeof faultPoints;
export type FaultPoint = { [Rpc in FaultyRpc]: `${Rpc}.${(typeof faultPoints)[Rpc][number]}` }[FaultyRpc];

/** fail: the step throws; hang: it waits until the file asks for it no more; kill: the daemon dies of SIGKILL. */
export const faultKinds = ["fail", "hang", "kill"] as const;
export type FaultKind = (typeof faultKinds)[number];

/**
 * To be awaited before a step. Does nothing, and is nothing in a release. Where the switch is built in, the environment
 * variable BERTH_FAULTS names a file with lines such as `RunPodSandbox.network kill`, which is read at every point; the
 * name of each point that answered to one is added to the same file's name with `.reached`.
 */
export function faultPoint(name: FaultPoint): Promise<void> | void {
  if (typeof BERTH_FAULTS !== "undefined" && BERTH_FAULTS) return reach(name);
}

const pollMs = 5;

async function reach(name: FaultPoint): Promise<void> {
  const file = process.env["BERTH_FAULTS"];
  if (!file) return;
  const kind = askedFor(file, name);
  if (kind === undefined) return;
  fs.appendFileSync(`${file}.reached`, `${name}\n`);
  if (kind === "kill") process.kill(process.pid, "SIGKILL");
  if (kind === "fail") throw new BerthError("Internal", `${name} was asked to fail`);
  while (askedFor(file, name) === "hang") await sleep(pollMs);
}

function askedFor(file: string, name: FaultPoint): FaultKind | undefined {
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return faultKinds.find((kind) => line === `${name} ${kind}`);
}
