import fs from "node:fs";
import type { CgroupVersion } from "./input";

/** What the kernel's cgroups can limit here. */
export interface CgroupFeatures {
  version: CgroupVersion;
  /** Whether swap is counted, so that a limit of it can be set. */
  swap: boolean;
  hugetlb: boolean;
}

/** Looks at the cgroup file systems below `root`. On a hybrid host the controllers are taken to be v1's. */
export function probeCgroupFeatures(version: CgroupVersion, root = "/sys/fs/cgroup"): CgroupFeatures {
  if (version !== "v2") {
    return {
      version,
      swap: fs.existsSync(`${root}/memory/memory.memsw.limit_in_bytes`),
      hugetlb: fs.existsSync(`${root}/hugetlb/cgroup.procs`),
    };
  }
  const controllers = readOr(`${root}/cgroup.controllers`).split(/\s+/);
  return { version, swap: hasSwapFile(root), hugetlb: controllers.includes("hugetlb") };
}

// the root cgroup has no memory.swap.max; any below that memory is delegated to has
function hasSwapFile(root: string): boolean {
  const own = /^0::(.*)$/m.exec(readOr("/proc/self/cgroup"))?.[1] ?? "/";
  if (fs.existsSync(`${root}${own}/memory.swap.max`)) return true;
  const children = fs.readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return children.some((child) => fs.existsSync(`${root}/${child.name}/memory.swap.max`));
}

function readOr(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
