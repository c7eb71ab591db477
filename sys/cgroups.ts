import fs from "node:fs";
import path from "node:path";
import { readMountInfo } from "./mount-info";
import { duringAtAskedPath } from "./asked-path";
import { errnoOf } from "./libc";

export type CgroupVersion = "v1" | "hybrid" | "v2";

/** Where the hierarchies of this machine are mounted. */
export interface CgroupLayout {
  /** hybrid: version 1 with an empty version 2 hierarchy beside it. */
  version: CgroupVersion;
  /** Mount point of the version 2 hierarchy; on v1 undefined. */
  unified: string | undefined;
  /** Mount point of each version 1 controller, such as "memory". */
  controllers: Map<string, string>;
}

/** The cgroups of one process: path by controller on version 1, under "" on version 2 (cgroups(7), /proc/PID/cgroup). */
export type CgroupPaths = Record<string, string>;

export function detectCgroups(mounts = readMountInfo()): CgroupLayout {
  const controllers = new Map<string, string>();
  let unified: string | undefined;
  const kinds = new Set([
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "rdma",
    "misc",
  ]);
  for (const mount of mounts) {
    if (mount.type === "cgroup2") unified ??= mount.mountPoint;
    else if (mount.type === "cgroup") {
      for (const option of mount.superOptions) {
        if (kinds.has(option) && !controllers.has(option)) controllers.set(option, mount.mountPoint);
        else if (option.startsWith("name=") && !controllers.has(option)) controllers.set(option, mount.mountPoint);
      }
    }
  }
  const version = controllers.size === 0 ? "v2" : unified ? "hybrid" : "v1";
  return { version, unified, controllers };
}

/** The cgroups that a process is in. Empty where it is gone. */
export function cgroupsOf(pid: number): CgroupPaths {
  const paths: CgroupPaths = {};
  try {
    for (const line of fs.readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n")) {
      const [, names = "", ...rest] = line.split(":");
      for (const name of names.split(",")) paths[name] = rest.join(":");
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ESRCH") throw error;
  }
  return paths;
}

/**
 * The same, cut after the part of each path that holds `id`: what a container's limits lie in. An OCI runtime may put its
 * processes into a cgroup of its own inside (crun's "container" in a systemd scope).
 */
export function cutCgroups(paths: CgroupPaths, id: string): CgroupPaths {
  const cut = (cgroup: string) => {
    const at = cgroup.indexOf(id);
    const end = at < 0 ? -1 : cgroup.indexOf("/", at);
    return end < 0 ? cgroup : cgroup.slice(0, end);
  };
  return Object.fromEntries(Object.entries(paths).map(([controller, cgroup]) => [controller, cut(cgroup)]));
}

export class Cgroups {
  /** Those that were not there before us, and so are ours to remove, each with the pods that want it. */
  private readonly made = new Map<string, Set<string>>();

  constructor(readonly layout: CgroupLayout = detectCgroups()) {}

  get version(): CgroupVersion {
    return this.layout.version;
  }

  /** The directory of one cgroup in the hierarchy that has `controller`; undefined where there is none. */
  directory(controller: string, cgroup: string): string | undefined {
    const mount = this.version === "v2" ? this.layout.unified : this.layout.controllers.get(controller);
    return mount && path.join(mount, cgroup);
  }

  /** Every hierarchy's directory for `cgroup`. */
  private directories(cgroup: string): string[] {
    const mounts = new Set([
      ...this.layout.controllers.values(),
      ...(this.layout.unified ? [this.layout.unified] : []),
    ]);
    return [...mounts].map((mount) => path.join(mount, cgroup));
  }

  /**
   * Makes `cgroup` (absolute within the hierarchies) wherever it is missing, for a pod. On version 2 the parents hand
   * their controllers down. Returns those of its parents and itself that this daemon has made, now or before, outermost
   * first. Throws InvalidArgument for what can be no cgroup's name, and has then made nothing.
   */
  ensure(cgroup: string, pod: string): string[] {
    const prefixes = prefixesOf(cgroup);
    const before = new Set(this.made.keys());
    try {
      for (const each of prefixes) for (const directory of this.directories(each)) this.make(each, directory);
    } catch (error) {
      this.removeEmpty(prefixes.filter((each) => this.made.has(each) && !before.has(each)));
      throw duringAtAskedPath(`the cgroup ${cgroup.slice(0, 200)}`, error);
    }
    return this.keepFor(pod, prefixes);
  }

  private keepFor(pod: string, cgroups: string[]): string[] {
    const ours = cgroups.filter((each) => this.made.has(each));
    for (const each of ours) this.made.get(each)!.add(pod);
    return ours;
  }

  private own(cgroup: string): void {
    if (!this.made.has(cgroup)) this.made.set(cgroup, new Set());
  }

  private make(cgroup: string, directory: string): void {
    if (!fs.existsSync(path.dirname(directory))) return;
    const there = fs.statSync(directory, { throwIfNoEntry: false });
    if (there?.isDirectory()) return;
    if (this.version === "v2") handDownControllers(path.dirname(directory));
    fs.mkdirSync(directory);
    this.own(cgroup);
    inheritCpuset(directory);
  }

  /** For a cgroup that systemd will make: what ensure() would have to make of it, and so is ours. Outermost first. */
  claim(cgroup: string, pod: string): string[] {
    const prefixes = prefixesOf(cgroup);
    for (const each of prefixes) if (!this.directories(each).some((one) => fs.existsSync(one))) this.own(each);
    return this.keepFor(pod, prefixes);
  }

  /**
   * Those of `cgroups` that no pod wants once this one is gone. One that is empty may be wanted all the same, by a pod
   * whose container is about to come: it would be made again by the OCI runtime, and be nobody's.
   */
  release(cgroups: string[], pod: string): string[] {
    for (const each of cgroups) this.made.get(each)?.delete(pod);
    return cgroups.filter((each) => !this.made.get(each)?.size);
  }

  /** Whether a cgroup has neither processes nor cgroups in it, or is gone. */
  isEmpty(cgroup: string): boolean {
    return this.directories(cgroup).every((directory) => {
      try {
        const hasInner = fs.readdirSync(directory, { withFileTypes: true }).some((entry) => entry.isDirectory());
        return !hasInner && fs.readFileSync(path.join(directory, "cgroup.procs"), "utf8") === "";
      } catch (error) {
        if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENODEV") return true;
        throw error;
      }
    });
  }

  /** What an earlier run of the daemon has made, and the pod that wants it where there is one. */
  adopt(cgroups: string[], pod?: string): void {
    for (const each of cgroups) this.own(each);
    if (pod !== undefined) this.keepFor(pod, cgroups);
  }

  /** Removes cgroups that are empty, innermost first; those that are not, or are gone, are left. */
  removeEmpty(cgroups: string[]): void {
    for (const cgroup of [...cgroups].reverse()) {
      for (const directory of this.directories(cgroup)) {
        try {
          fs.rmdirSync(directory);
        } catch {
          // someone else uses it, or it is gone
        }
      }
      this.forgetGone(cgroup);
    }
  }

  /** One that is no more is nobody's: who makes it next owns it. */
  forgetGone(cgroup: string): void {
    if (!this.directories(cgroup).some((directory) => fs.existsSync(directory))) this.made.delete(cgroup);
  }

  /** Ends every process of a cgroup, those of cgroups inside it too. Returns once none is left or after `timeoutMs`. */
  async kill(paths: CgroupPaths, timeoutMs = 10_000): Promise<void> {
    const directory = this.version === "v2" ? this.ofPaths("", paths) : this.ofPaths("pids", paths);
    if (directory && fs.existsSync(directory)) await killBelow(directory, timeoutMs);
  }

  /**
   * Removes the cgroups of a process that is gone, where their name holds `id` and so they are its own: for what an OCI
   * runtime has left, which may have lost its record of the container.
   */
  removeOwn(paths: CgroupPaths, id: string): void {
    this.removeEmpty(
      [...new Set(Object.values(paths))].filter((cgroup) => cgroup.includes(id) && !cgroup.includes("..")),
    );
  }

  /** Whether a cgroup of those is still there that removeOwn() would remove. */
  existsOwn(paths: CgroupPaths, id: string): boolean {
    return Object.values(paths).some(
      (cgroup) => cgroup.includes(id) && this.directories(cgroup).some((directory) => fs.existsSync(directory)),
    );
  }

  /** How often the kernel has killed for lack of memory in this cgroup; undefined where it is gone. */
  oomKills(paths: CgroupPaths): number | undefined {
    const [controller, file] = this.version === "v2" ? ["", "memory.events"] : ["memory", "memory.oom_control"];
    const directory = this.ofPaths(controller, paths);
    if (!directory) return undefined;
    try {
      return Number(/^oom_kill (\d+)$/m.exec(fs.readFileSync(path.join(directory, file), "utf8"))?.[1] ?? 0);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  /**
   * The same of all that is in the cgroup around this one, with what those that are gone have counted. Undefined on version
   * 1, which counts each cgroup by itself (cgroup-v2.rst, memory.events is hierarchical).
   */
  oomKillsAround(paths: CgroupPaths): number | undefined {
    const cgroup = paths[""];
    return this.version === "v2" && cgroup ? this.oomKills({ "": path.dirname(cgroup) }) : undefined;
  }

  /** The directory of a controller for what cgroupsOf() gave. */
  ofPaths(controller: string, paths: CgroupPaths): string | undefined {
    const cgroup = paths[this.version === "v2" ? "" : controller];
    // the root cgroup is never a container's
    if (cgroup === undefined || cgroup === "/" || cgroup.includes("..")) return undefined;
    return this.directory(controller, cgroup);
  }
}

async function killBelow(directory: string, timeoutMs: number): Promise<void> {
  const killFile = path.join(directory, "cgroup.kill");
  const until = performance.now() + timeoutMs;
  for (let round = 0; performance.now() < until; round++) {
    const pids = processesBelow(directory);
    if (pids.length === 0) return;
    const kills = fs.existsSync(killFile)
      ? [() => fs.writeFileSync(killFile, "1")]
      : pids.map((pid) => () => process.kill(pid, "SIGKILL"));
    for (const kill of kills) {
      try {
        kill();
      } catch {
        // gone meanwhile, the process or with its last one the cgroup
      }
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(50, 2 << round)));
  }
}

/** Ends all that runs in a cgroup, by its directory, and removes it with those inside. Throws where something stays. */
export async function endCgroup(directory: string, timeoutMs = 10_000): Promise<void> {
  await killBelow(directory, timeoutMs);
  const remove = (each: string) => {
    try {
      for (const entry of fs.readdirSync(each, { withFileTypes: true }))
        if (entry.isDirectory()) remove(path.join(each, entry.name));
      fs.rmdirSync(each);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  };
  remove(directory);
}

/** A cgroup and its parents, outermost first, the root left out. */
function prefixesOf(cgroup: string): string[] {
  const parts = cgroup.split("/").filter(Boolean);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`);
}

function handDownControllers(directory: string): void {
  const available = fs.readFileSync(path.join(directory, "cgroup.controllers"), "utf8").trim().split(" ");
  for (const controller of available.filter(Boolean)) {
    try {
      fs.writeFileSync(path.join(directory, "cgroup.subtree_control"), `+${controller}`);
    } catch {
      // one that can't be handed down (such as cpu under realtime processes) must not keep the others back
    }
  }
}

/** A version 1 cpuset without CPUs takes no process. */
function inheritCpuset(directory: string): void {
  for (const name of ["cpuset.cpus", "cpuset.mems"]) {
    const file = path.join(directory, name);
    try {
      if (fs.readFileSync(file, "utf8").trim() === "") {
        fs.writeFileSync(file, fs.readFileSync(path.join(path.dirname(directory), name), "utf8"));
      }
    } catch {
      // no cpuset hierarchy
    }
  }
}

/** Of a cgroup that was removed, with an open file or without. */
const isGone = (error: unknown) => ["ENOENT", "ENODEV", "ENOTDIR"].includes(errnoOf(error) ?? "");

function processesBelow(directory: string): number[] {
  const pids: number[] = [];
  const visit = (each: string) => {
    try {
      for (const line of fs.readFileSync(path.join(each, "cgroup.procs"), "utf8").split("\n"))
        if (line) pids.push(Number(line));
      for (const entry of fs.readdirSync(each, { withFileTypes: true }))
        if (entry.isDirectory()) visit(path.join(each, entry.name));
    } catch (error) {
      // removed while we looked
      if (!isGone(error)) throw error;
    }
  };
  visit(directory);
  return pids;
}
