import fs from "node:fs";
import path from "node:path";
import type { ContainerId } from "../../api/ids";
import type { Services } from "../services";
import { type Container, containerName } from "../store/container";
import { volumesDirectory } from "./create";
import { releaseImageVolumes } from "./image-volumes";
import { stopContainer } from "./stop";

/** Removes a container, by force where it runs. */
export async function removeContainer(services: Services, container: Container): Promise<void> {
  const { store, locks, runtimes } = services;
  await stopContainer(services, container, 0);
  await locks.run(container.id, async () => {
    if (!store.containers.find(container.id)) return;
    // a clearing away that failed at the exit is tried again here
    if (!container.cleanUp) await runtimes.get(container.record.handler).delete(container.id);
    await removeContainerFiles(services, container.id);
    store.containers.delete(container.id);
    store.containerNames.release(containerName(container.config, container.record.sandboxId));
    services.events.containerDeleted(container);
  });
}

/** Takes away what a container, or half of one, has on the host's filesystems and mounted there. */
export async function removeContainerFiles(services: Services, id: ContainerId): Promise<void> {
  const { images, paths } = services;
  releaseImageVolumes(services, id);
  await images.releaseRootfs(id, paths.rootfs(id));
  fs.rmSync(volumesDirectory(services, id), { recursive: true, force: true });
  fs.rmSync(path.join(paths.exits, id), { force: true });
  fs.rmSync(paths.container(id), { recursive: true, force: true });
}
