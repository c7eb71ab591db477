import { BerthError } from "../../api/errors";
import { type IDMapping, type Mount, MountPropagation } from "../../api/messages";
import type { MountEntry } from "../../sys/mount-info";
import type { SpecIdMapping, SpecMount } from "../runtime-spec";
import { checkAbsolutePath, checkCount, invalid, quote } from "./check-text";
import { checkShared, mountSource } from "./mount-source";

export interface CriMountContext {
  hostMounts: MountEntry[];
  recursiveReadOnlyMounts: boolean;
  /** The tree of the mount's image, where it has one. */
  imagePath?: string;
}

/** KEP-5855: those options of a bind mount that can be asked for, all of which take something away. */
const knownMountOptions = new Set(["noexec", "nodev", "nosuid"]);

/** A mount of the request as the runtime takes it. Throws InvalidArgument, FailedPrecondition, RROUnsupported. */
export async function criMount(mount: Mount, context: CriMountContext): Promise<SpecMount> {
  checkAbsolutePath("the container path of a mount", mount.containerPath);
  const access = accessOf(mount, context);
  for (const option of mount.mountOptions) {
    if (!knownMountOptions.has(option)) throw invalid(`the mount option ${quote(option)} is unknown`);
  }
  const source = await mountSource(mount.image ? imagePath(mount, context) : mount.hostPath);
  return {
    destination: mount.containerPath,
    type: "bind",
    source,
    options: ["rbind", propagationOf(mount, source, context.hostMounts), access, ...new Set(mount.mountOptions)],
    ...mappingsOf(mount.uidMappings, mount.gidMappings),
  };
}

function imagePath(mount: Mount, context: CriMountContext): string {
  // KEP-4639: an image has no writable mounts
  if (!mount.readonly) throw invalid(`the image mount on ${quote(mount.containerPath)} is not read-only`);
  if (!context.imagePath) {
    throw new BerthError("FailedPrecondition", `the image to mount on ${quote(mount.containerPath)} is not there`);
  }
  return context.imagePath;
}

function accessOf(mount: Mount, context: CriMountContext): "ro" | "rro" | "rw" {
  if (!mount.recursiveReadOnly) return mount.readonly ? "ro" : "rw";
  const path = quote(mount.containerPath);
  if (!mount.readonly) throw invalid(`the recursive read-only mount on ${path} is not read-only`);
  if (mount.propagation !== MountPropagation.PROPAGATION_PRIVATE) {
    throw invalid(`the recursive read-only mount on ${path} needs private propagation`);
  }
  if (!context.recursiveReadOnlyMounts) {
    throw new BerthError("RROUnsupported", `the runtime cannot make the mount on ${path} recursively read-only`);
  }
  return "rro";
}

function propagationOf(mount: Mount, source: string, hostMounts: MountEntry[]): string {
  switch (mount.propagation) {
    case MountPropagation.PROPAGATION_PRIVATE:
      return "rprivate";
    case MountPropagation.PROPAGATION_HOST_TO_CONTAINER:
      checkShared(source, "toContainer", hostMounts);
      return "rslave";
    case MountPropagation.PROPAGATION_BIDIRECTIONAL:
      checkShared(source, "both", hostMounts);
      return "rshared";
    default:
      throw invalid(`the mount propagation ${mount.propagation} is unknown`);
  }
}

/** ID mappings as a mount of the spec has them; nothing where there are none. Throws InvalidArgument. */
export function mappingsOf(uids: IDMapping[], gids: IDMapping[]): Pick<SpecMount, "uidMappings" | "gidMappings"> {
  if (uids.length === 0 && gids.length === 0) return {};
  if (uids.length === 0 || gids.length === 0) throw invalid("a mount has ID mappings for users or groups alone");
  return { uidMappings: specMappings(uids), gidMappings: specMappings(gids) };
}

export function specMappings(mappings: IDMapping[]): SpecIdMapping[] {
  checkCount("ID mappings", mappings, 340);
  return mappings.map(({ containerId, hostId, length }) => {
    if (length === 0) throw invalid("an ID mapping has the length 0");
    return { containerID: containerId, hostID: hostId, size: length };
  });
}
