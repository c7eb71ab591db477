import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { type CgroupPaths, Cgroups } from "./cgroups";

export interface CgroupTree {
  cgroups: Cgroups;
  /** The paths of the one cgroup that the tree has. */
  paths: CgroupPaths;
  /** Writes a file of that cgroup; on version 2 the controller does not matter. */
  write(controller: string, file: string, text: string): void;
  remove(): void;
}

const controllers = ["cpu", "cpuacct", "memory", "blkio", "pids", "hugetlb"];
const cgroup = "/kubepods/pod1/c1";

/** Cgroup files in a directory of their own, for readers that are handed a layout. */
export function cgroupTree(version: "v1" | "hybrid" | "v2"): CgroupTree {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "berth-cgroups-"));
  const unified = version === "v1" ? undefined : path.join(root, "unified");
  const own = version === "v2" ? [] : controllers;
  const layout = { version, unified, controllers: new Map(own.map((each) => [each, path.join(root, each)])) };
  return {
    cgroups: new Cgroups(layout),
    paths: Object.fromEntries((version === "v1" ? own : ["", ...own]).map((each) => [each, cgroup])),
    write(controller, file, text) {
      const mount = layout.controllers.get(controller) ?? unified!;
      fs.mkdirSync(path.dirname(path.join(mount, cgroup, file)), { recursive: true });
      fs.writeFileSync(path.join(mount, cgroup, file), text);
    },
    remove: () => fs.rmSync(root, { recursive: true }),
  };
}
