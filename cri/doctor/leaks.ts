import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { readConfigDirectory } from "../../cni/config-directory";
import { detectCgroups } from "../../sys/cgroups";
import { readMountInfo } from "../../sys/mount-info";
import { identify } from "../../sys/process-identity";
import { ownParent } from "../sandbox/cgroup-parent";
import { type Finding, findings, type Node } from "./finding";

export type LeakKind =
  | "mount"
  | "namespace"
  | "monitor"
  | "cgroup"
  | "container's cgroup"
  | "address"
  | "network attachment"
  | "writable layer"
  | "volume"
  | "exit file"
  | "runtime's record";

/** Something that has the ID of a sandbox or container which is not there. */
export interface Leak {
  kind: LeakKind;
  /** A path, a mount point or a process. */
  what: string;
  id: string;
  ageMs: number;
  remedy: string;
}

const idPattern = /[0-9a-f]{64}/;
const gc = "berth gc takes it away";
const restart = "systemctl restart berth: it takes down at its start what belongs to nobody; pods go on";

/** Mounts, namespaces, cgroups, monitors, addresses and files that belong to nobody. */
export async function checkLeaks(node: Node): Promise<Finding[]> {
  const { list, ok, warning } = findings("leaks");
  const leaks = await findLeaks(node);
  for (const [first, ...more] of groups(leaks)) {
    const others = more.length > 0 ? ` and ${more.length} more of the same` : "";
    warning(`${first!.kind} of nobody: ${first!.what}${others}`, first!.remedy);
  }
  if (leaks.length === 0) ok("no mount, namespace, cgroup, monitor, address or file belongs to nobody");
  return list;
}

/** A container has a cgroup in each hierarchy, a sandbox several namespaces. */
const groups = (leaks: Leak[]): Leak[][] => [...Map.groupBy(leaks, ({ kind, id }) => `${kind} ${id}`).values()];

export async function findLeaks(node: Node): Promise<Leak[]> {
  const { config, paths } = node;
  const all = [
    ...mounts(node),
    ...monitors(node),
    ...cgroups(),
    ...(await addresses(node)),
    ...named(config.cni.cache_dir, "network attachment", gc),
    ...named(path.join(config.root, "snapshots"), "writable layer", restart),
    ...named(path.join(config.root, "volumes"), "volume", gc),
    ...named(paths.exits, "exit file", gc),
    ...children(paths.runtimes).flatMap((root) => named(root, "runtime's record", gc)),
  ];
  // what is looked up last knows all that was made meanwhile
  const known = knownIds(node);
  const leaks = all.filter(({ id, ageMs }) => !known.has(id) && ageMs >= node.minAgeMs);
  return withCgroups(leaks);
}

/** What has left something of ours here was ours, and so is a cgroup of its name, with all that still runs in it. */
function withCgroups(leaks: Leak[]): Leak[] {
  const own = new Set(leaks.filter(({ kind }) => isOwn.has(kind)).map(({ id }) => id));
  if (own.size === 0) return leaks;
  const found = hierarchies()
    .flatMap(cgroupsBelow)
    .flatMap((what): Leak[] => {
      const id = idPattern.exec(path.basename(what))?.[0];
      return id && own.has(id) ? [{ kind: "container's cgroup", what, id, ageMs: ageOf(what), remedy: gc }] : [];
    });
  const known = new Set(found.map(({ what }) => what));
  return [...leaks.filter(({ what }) => !known.has(what)), ...found];
}

const isOwn = new Set<LeakKind>(["mount", "namespace", "monitor", "exit file", "runtime's record"]);

const cgroupsBelow = (directory: string): string[] =>
  children(directory).flatMap((each) => [each, ...cgroupsBelow(each)]);

function hierarchies(): string[] {
  const { unified, controllers } = detectCgroups();
  return [...new Set([...(unified ? [unified] : []), ...controllers.values()])];
}

/** What the daemon lists, and what is being made; without a daemon, what has a directory. */
function knownIds({ daemon, paths, minAgeMs }: Node): Set<string> {
  const known = new Set(daemon?.ids);
  for (const directory of [paths.sandboxes, paths.containers]) {
    for (const id of list(directory)) {
      if (!daemon || ageOf(path.join(directory, id)) < minAgeMs) known.add(id);
    }
  }
  return known;
}

function mounts({ config }: Node): Leak[] {
  const within = (point: string) => [config.state, config.root].some((directory) => point.startsWith(`${directory}/`));
  return readMountInfo().flatMap(({ mountPoint, type }) => {
    const id = idPattern.exec(mountPoint)?.[0];
    if (!id || !within(mountPoint)) return [];
    // a mount has no age, the directory it was made in has
    const ageMs = ageOf(path.dirname(mountPoint));
    return [{ kind: type === "nsfs" ? "namespace" : "mount", what: mountPoint, id, ageMs, remedy: gc }];
  });
}

function monitors({ paths }: Node): Leak[] {
  return list("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    const args = readText(`/proc/${pid}/cmdline`).split("\0");
    if (path.basename(args[0] ?? "") !== "conmon" || args[args.indexOf("--exit-dir") + 1] !== paths.exits) return [];
    const id = args[args.indexOf("-c") + 1] ?? "";
    return [{ kind: "monitor", what: `/proc/${pid}`, id, ageMs: ageOfProcess(Number(pid)), remedy: gc }];
  });
}

/** Empty ones of pods that name no parent, and scopes of the systemd driver: others may be another runtime's. */
function cgroups(): Leak[] {
  return hierarchies()
    .flatMap((hierarchy) => [...children(path.join(hierarchy, ownParent)), ...scopes(hierarchy)])
    .flatMap((directory) => {
      const id = idPattern.exec(path.basename(directory))?.[0];
      const isEmpty = readText(path.join(directory, "cgroup.procs")).trim() === "";
      const remedy = `rmdir ${directory}, if no other Berth runs on this node`;
      return id && isEmpty ? [{ kind: "cgroup", what: directory, id, ageMs: ageOf(directory), remedy }] : [];
    });
}

/** Kubernetes puts them three slices deep. */
function scopes(hierarchy: string): string[] {
  const slices = (above: string) => children(above).filter((each) => each.endsWith(".slice"));
  const first = slices(hierarchy);
  const second = first.flatMap(slices);
  const all = [...first, ...second, ...second.flatMap(slices)];
  return all.flatMap(children).filter((each) => path.basename(each).startsWith("cri-berth-"));
}

/** Of the plugin host-local, which keeps a file for each address with the sandbox's ID in it. */
async function addresses({ config }: Node): Promise<Leak[]> {
  const { network } = await readConfigDirectory(config.cni.conf_dir);
  const stores = (network?.plugins ?? []).flatMap(({ ipam }) => {
    const { type, dataDir } = (ipam ?? {}) as { type?: string; dataDir?: string };
    return type === "host-local" ? [path.join(dataDir ?? "/var/lib/cni/networks", network!.name)] : [];
  });
  return stores.flatMap((store) =>
    list(store).flatMap((address) => {
      const what = path.join(store, address);
      const id = /^[0-9a-f]+[.:]/.test(address) ? idPattern.exec(readText(what))?.[0] : undefined;
      const remedy = `rm ${what}, if no other runtime uses this network`;
      return id ? [{ kind: "address", what, id, ageMs: ageOf(what), remedy }] : [];
    }),
  );
}

/** The files of a directory whose name begins with an ID. */
function named(directory: string, kind: LeakKind, remedy: string): Leak[] {
  return list(directory).flatMap((name) => {
    const id = /^[0-9a-f]{64}/.exec(name)?.[0];
    const what = path.join(directory, name);
    return id ? [{ kind, what, id, ageMs: ageOf(what), remedy }] : [];
  });
}

function list(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}

function children(directory: string): string[] {
  return list(directory)
    .map((name) => path.join(directory, name))
    .filter((each) => fs.lstatSync(each, { throwIfNoEntry: false })?.isDirectory());
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Since its last change; what has gone meanwhile counts as just made. */
function ageOf(file: string): number {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  return stat ? Math.max(0, Date.now() - stat.ctimeMs) : -1;
}

function ageOfProcess(pid: number): number {
  const startTicks = Number(identify(pid)?.startTime ?? Number.POSITIVE_INFINITY);
  // the kernel counts these 100 times a second for everyone who reads /proc
  return os.uptime() * 1000 - startTicks * 10;
}
