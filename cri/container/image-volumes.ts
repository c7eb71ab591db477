import fs from "node:fs";
import path from "node:path";
import { BerthError } from "../../api/errors";
import type { ContainerId } from "../../api/ids";
import type { ContainerConfig } from "../../api/messages";
import type { UserNamespace } from "../../sys/id-mapping";
import { faultPoint } from "../../sys/fault-points";
import { directoryInRoot } from "../../sys/rooted-path";
import type { UndoStack } from "../../sys/undo";
import type { Services } from "../services";

interface Mounted {
  id: ContainerId;
  config: ContainerConfig;
  /** The pod's own; absent for the host's. */
  userNamespace: UserNamespace | undefined;
  /** The SELinux label of the files, where there is one. */
  label: string | undefined;
}

const directoryOf = (services: Services, id: ContainerId) => path.join(services.paths.container(id), "image-volumes");

export interface ImageVolume {
  /** The tree on the host, sub-path applied. */
  path: string;
  /** By which the status tells what was mounted: the image's ID, as PullImage gives it (critest compares them). */
  imageRef: string;
}

/**
 * Mounts the images that a container has as volumes, beside its bundle. Gives each by the index of its mount. Throws
 * ImageVolumeMountFailed for a sub-path that is not there.
 */
export async function mountImageVolumes(
  services: Services,
  { id, config, userNamespace, label }: Mounted,
  undo: UndoStack,
): Promise<Map<number, ImageVolume>> {
  const volumes = new Map<number, ImageVolume>();
  for (const [index, mount] of config.mounts.entries()) {
    if (!mount.image?.image) continue;
    const record = services.images.status(mount.image.image);
    if (!record) throw new BerthError("NotFound", `image "${mount.image.image.slice(0, 300)}" of a volume not found`);
    const target = path.join(directoryOf(services, id), String(index));
    fs.mkdirSync(target, { recursive: true, mode: 0o711 });
    await faultPoint("CreateContainer.image-volume");
    undo.push(`the image volume ${index}`, () => services.images.unmountImage(target));
    await services.images.mountImageReadOnly({ image: record.id, target, userNamespace, label });
    await faultPoint("CreateContainer.image-volume-mounted");
    volumes.set(index, {
      path: mount.imageSubPath ? subTree(target, mount.imageSubPath) : target,
      imageRef: record.id,
    });
  }
  return volumes;
}

function subTree(root: string, subPath: string): string {
  const found = directoryInRoot(root, subPath);
  if (found) return found;
  throw new BerthError("ImageVolumeMountFailed", `the image has no directory "${subPath.slice(0, 300)}"`);
}

/** Undoes mountImageVolumes(); nothing where that is undone. */
export function releaseImageVolumes(services: Services, id: ContainerId): void {
  const directory = directoryOf(services, id);
  if (!fs.existsSync(directory)) return;
  for (const name of fs.readdirSync(directory)) services.images.unmountImage(path.join(directory, name));
}
