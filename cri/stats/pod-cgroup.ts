import path from "node:path";
import type { CgroupPaths } from "../../sys/cgroups";
import { parentCgroup, parentPath } from "../sandbox/cgroup-parent";
import type { Services } from "../services";
import type { Sandbox } from "../store/sandbox";

/**
 * The cgroup that holds all of a pod and nothing else. The kubelet makes one that is named by the pod's UID, with the
 * dashes as underscores where systemd is the driver; any other parent may be shared, and then this is undefined.
 */
export function podCgroup(
  { cgroupDriver, cgroups }: Pick<Services, "cgroupDriver" | "cgroups">,
  { config }: Pick<Sandbox, "config">,
): CgroupPaths | undefined {
  const uid = config.metadata?.uid ?? "";
  const given = config.linux?.cgroupParent ?? "";
  const base = path.posix.basename(given);
  if (uid === "" || !(base.includes(uid) || base.includes(uid.replaceAll("-", "_")))) return undefined;
  const cgroup = parentPath(parentCgroup(given, cgroupDriver), cgroupDriver);
  return Object.fromEntries(["", ...cgroups.layout.controllers.keys()].map((controller) => [controller, cgroup]));
}
