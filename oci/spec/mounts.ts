import path from "node:path";
import { NamespaceMode } from "../../api/messages";
import { type MountEntry, readMountInfo } from "../../sys/mount-info";
import { relabel } from "../../sys/relabel";
import type { SpecLinux, SpecMount } from "../runtime-spec";
import { checkAbsolutePath, checkCount, invalid, quote } from "./check-text";
import { criMount } from "./cri-mount";
import { imageVolumes } from "./image-volumes";
import type { SpecInput } from "./input";
import { podMounts } from "./pod-mounts";
import { standardMounts } from "./standard-mounts";

export interface MountsResult {
  mounts: SpecMount[];
  /** What the container's root must be, so that a mount's propagation works in it. */
  rootfsPropagation: SpecLinux["rootfsPropagation"];
}

/**
 * All mounts in the order of mounting: the standard ones, then the request's, the image's volumes and the pod's files
 * by the depth of their paths, so that none hides another. What the request mounts on a path keeps all else off it; on
 * /dev, off all that is below as well. What devices bring along (`injected`) keeps off the request's, too.
 */
export async function specMounts(
  input: SpecInput,
  {
    injected = [],
    readHostMounts = readMountInfo,
  }: { injected?: SpecMount[]; readHostMounts?: () => MountEntry[] } = {},
): Promise<MountsResult> {
  const { config, sandbox, features } = input;
  // every pod adds some, and most containers need to know none of them
  let read: MountEntry[] | undefined;
  const hostMounts = () => {
    read ??= readHostMounts();
    return read;
  };
  checkCount("mounts", config.mounts, 4096);
  const context = config.linux?.securityContext;
  const privileged = context?.privileged ?? false;
  const brought = new Map(injected.map((mount) => [destinationOf(mount.destination), mount]));
  const requested = new Set([...config.mounts.map((mount) => destinationOf(mount.containerPath)), ...brought.keys()]);
  const hides = (destination: string) =>
    requested.has(destination) || (requested.has("/dev") && destination.startsWith("/dev/"));

  const asked: SpecMount[] = [];
  for (const [index, mount] of config.mounts.entries()) {
    const imagePath = input.imageMounts?.get(index);
    const { recursiveReadOnlyMounts, idMappedMounts } = features;
    const userNamespace = sandbox.namespaces.user;
    const context = { hostMounts, recursiveReadOnlyMounts, idMappedMounts, userNamespace, imagePath };
    asked.push(await criMount(mount, context));
  }
  const volumes = await imageVolumes(input, requested);
  const pod = podMounts({
    sandbox,
    hostIpc: context?.namespaceOptions?.ipc === NamespaceMode.NODE || sandbox.namespaces.ipc === undefined,
    readonlyRootfs: context?.readonlyRootfs ?? false,
  });
  const standard = standardMounts({
    privileged,
    cgroupVersion: input.cgroup.version,
    ownCgroupNamespace: input.cgroup.version === "v2" && !privileged,
    bindSys: sandbox.namespaces.user !== undefined && sandbox.namespaces.network === undefined,
    recursiveReadOnly: features.recursiveReadOnlyMounts,
    hostMounts,
  });
  if (input.selinux.mount !== undefined) {
    const wanted = asked.filter((_, index) => config.mounts[index]!.selinuxRelabel);
    await relabelMounts([...pod, ...volumes, ...wanted], input.selinux.mount);
  }
  const kept = asked.filter((mount) => !brought.has(destinationOf(mount.destination)));
  const later = [...pod.filter((mount) => !hides(mount.destination)), ...volumes, ...kept, ...brought.values()];
  return {
    mounts: [...standard.filter((mount) => !hides(mount.destination)), ...byDepth(later)],
    rootfsPropagation: propagationFor(later),
  };
}

/** The pod's own files and volumes belong to its containers alone; a request's mount is labelled where it asks for it. */
async function relabelMounts(mounts: SpecMount[], label: string): Promise<void> {
  for (const { type, source } of mounts) if (type === "bind" && source !== "/dev/shm") await relabel(source, label);
}

function destinationOf(containerPath: string): string {
  checkAbsolutePath("the container path of a mount", containerPath);
  const clean = path.posix.normalize(containerPath).replace(/(.)\/$/, "$1");
  if (clean === "/") throw invalid(`the container path ${quote(containerPath)} of a mount is the root`);
  return clean;
}

// sort() keeps the order of equals, which is how later mounts on one path win
const byDepth = (mounts: SpecMount[]) => mounts.sort((a, b) => depthOf(a) - depthOf(b));
const depthOf = (mount: SpecMount) => path.posix.normalize(mount.destination).split("/").filter(Boolean).length;

function propagationFor(mounts: SpecMount[]): MountsResult["rootfsPropagation"] {
  if (mounts.some((mount) => mount.options.includes("rshared"))) return "rshared";
  return mounts.some((mount) => mount.options.includes("rslave")) ? "rslave" : undefined;
}
