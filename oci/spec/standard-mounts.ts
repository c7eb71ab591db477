import type { MountEntry } from "../../sys/mount-info";
import type { SpecMount } from "../runtime-spec";
import type { CgroupVersion } from "./input";

export interface StandardMountsInput {
  privileged: boolean;
  cgroupVersion: CgroupVersion;
  /** Whether the container gets a cgroup namespace of its own. */
  ownCgroupNamespace: boolean;
  /** In a user namespace with the host's network sysfs cannot be mounted, only bound. */
  bindSys: boolean;
  recursiveReadOnly: boolean;
  /** Read where the cgroup mount's options depend on them. */
  hostMounts: () => MountEntry[];
}

/** What every container has mounted (runtime-spec config-linux.md, default filesystems; /dev/shm comes from the pod). */
export function standardMounts(input: StandardMountsInput): SpecMount[] {
  const access = input.privileged ? "rw" : "ro";
  return [
    mount("/proc", "proc", ["nosuid", "noexec", "nodev"]),
    mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    mount("/dev/mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
    sys(input, access),
    mount("/sys/fs/cgroup", "cgroup", ["nosuid", "noexec", "nodev", "relatime", access, ...cgroupOptions(input)]),
  ];
}

const mount = (destination: string, type: string, options: string[]): SpecMount => ({
  destination,
  type,
  source: type,
  options,
});

function sys(input: StandardMountsInput, access: string): SpecMount {
  const options = ["nosuid", "noexec", "nodev"];
  if (!input.bindSys) return mount("/sys", "sysfs", [...options, access]);
  const readonly = input.recursiveReadOnly ? "rro" : "ro";
  return { destination: "/sys", type: "bind", source: "/sys", options: ["rbind", ...options, readonly] };
}

// a cgroup2 mount in the host's cgroup namespace sets the options of the one superblock that the host has too
function cgroupOptions({ cgroupVersion, ownCgroupNamespace, hostMounts }: StandardMountsInput): string[] {
  if (cgroupVersion !== "v2" || ownCgroupNamespace) return [];
  const host = hostMounts().findLast((entry) => entry.mountPoint === "/sys/fs/cgroup");
  return (host?.superOptions ?? []).filter((name) => name === "nsdelegate" || name === "memory_recursiveprot");
}
