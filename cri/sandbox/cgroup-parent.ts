import path from "node:path";
import { BerthError } from "../../api/errors";

/** Where pods go that name no parent, under the cgroupfs driver. */
export const ownParent = "/berth";

/**
 * The cgroup below which a pod's containers go, in the form of the driver. The kubelet gives the parent in cgroupfs
 * syntax whatever its driver. Throws InvalidArgument for one that would lead elsewhere or does not fit the driver.
 */
export function parentCgroup(given: string, driver: "cgroupfs" | "systemd"): string {
  if (given === "") return driver === "systemd" ? "system.slice" : ownParent;
  if (/[\u0000-\u001f:]/.test(given) || given.split("/").includes(".."))
    throw refused(given, "it holds .., a colon or a control character");
  const normal = path.posix.normalize(`/${given}`).replace(/(.)\/$/, "$1");
  if (normal === "/") throw refused(given, "it is the root of all cgroups");
  const isSlice = normal.endsWith(".slice");
  if (driver === "cgroupfs") {
    if (isSlice) throw refused(given, "it is a systemd slice, but the cgroup driver is cgroupfs");
    return normal;
  }
  if (!isSlice) throw refused(given, "it is no systemd slice, but the cgroup driver is systemd");
  const slice = path.posix.basename(normal);
  if (!/^[^-]+(-[^-]+)*\.slice$/.test(slice)) throw refused(given, "it is the root slice or no slice's name");
  return slice;
}

/** The path, within the hierarchies, of a parent as parentCgroup() gives it. */
export function parentPath(parent: string, driver: "cgroupfs" | "systemd"): string {
  return driver === "systemd" ? slicePath(parent) : parent;
}

/** "a-b.slice" lies in "a.slice" (systemd.slice(5)). */
export function slicePath(slice: string): string {
  const parts = slice.replace(/\.slice$/, "").split("-");
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("-")}.slice`).join("");
}

/** The runtime spec's `linux.cgroupsPath` of a container or a holder below `parent` (from parentCgroup()). */
export function cgroupsPathFor(parent: string, id: string, driver: "cgroupfs" | "systemd"): string {
  return driver === "systemd" ? `${parent}:cri-berth:${id}` : path.posix.join(parent, id);
}

const refused = (given: string, why: string) =>
  new BerthError("InvalidArgument", `cgroup_parent "${given.slice(0, 200)}" is refused: ${why}`);
