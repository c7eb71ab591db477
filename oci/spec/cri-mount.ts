import { BerthError } from "../../api/errors";
import { type Mount, MountPropagation } from "../../api/messages";
import type { UserNamespace } from "../../sys/id-mapping";
import type { MountEntry } from "../../sys/mount-info";
import type { SpecMount } from "../runtime-spec";
import { checkAbsolutePath, invalid, quote } from "./check-text";
import { mappingsOf, sameMappings } from "./id-mappings";
import { checkShared, mountSource } from "./mount-source";

export interface CriMountContext {
  /** Read where a mount's propagation asks for it. */
  hostMounts: () => MountEntry[];
  recursiveReadOnlyMounts: boolean;
  idMappedMounts: boolean;
  /** The pod's own; absent for the host's. */
  userNamespace?: UserNamespace;
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
    ...mountMappings(mount, context),
  };
}

/** An image's layers are mapped below its mount, which is an overlay and takes no mapping itself. */
function mountMappings(mount: Mount, context: CriMountContext): Pick<SpecMount, "uidMappings" | "gidMappings"> {
  const mappings = mappingsOf(mount.uidMappings, mount.gidMappings);
  if (mappings.uidMappings === undefined) return {};
  const { userNamespace: own } = context;
  if (mount.image) {
    if (own && sameMappings(own.uids, mount.uidMappings) && sameMappings(own.gids, mount.gidMappings)) return {};
    throw invalid(`the ID mappings of the image mount on ${quote(mount.containerPath)} are not those of its pod`);
  }
  if (context.idMappedMounts) return mappings;
  throw new BerthError("FailedPrecondition", `the runtime cannot map the IDs of ${quote(mount.containerPath)}`, {
    hint: "runc 1.2 or crun 1.9 or later are needed",
  });
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

function propagationOf(mount: Mount, source: string, hostMounts: () => MountEntry[]): string {
  switch (mount.propagation) {
    case MountPropagation.PROPAGATION_PRIVATE:
      return "rprivate";
    case MountPropagation.PROPAGATION_HOST_TO_CONTAINER:
      checkShared(source, "toContainer", hostMounts());
      return "rslave";
    case MountPropagation.PROPAGATION_BIDIRECTIONAL:
      checkShared(source, "both", hostMounts());
      return "rshared";
    default:
      throw invalid(`the mount propagation ${mount.propagation} is unknown`);
  }
}
