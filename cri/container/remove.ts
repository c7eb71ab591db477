import fs from "node:fs";
import path from "node:path";
import type { Services } from "../services";
import { type Container, containerName } from "../store/container";
import { volumesDirectory } from "./create";
import { releaseImageVolumes } from "./image-volumes";
import { stopContainer } from "./stop";

/** Removes a container, by force where it runs. */
export async function removeContainer(services: Services, container: Container): Promise<void> {
  const { store, locks, images, paths, runtimes } = services;
  await stopContainer(services, container, 0);
  await locks.run(container.id, async () => {
    if (!store.containers.find(container.id)) return;
    // a clearing away that failed at the exit is tried again here
    if (!container.cleanUp) await runtimes.get(container.record.handler).delete(container.id);
    releaseImageVolumes(services, container.id, container.config);
    await images.releaseRootfs(container.id, paths.rootfs(container.id));
    fs.rmSync(volumesDirectory(services, container.id), { recursive: true, force: true });
    fs.rmSync(path.join(paths.exits, container.id), { force: true });
    fs.rmSync(paths.container(container.id), { recursive: true, force: true });
    store.containers.delete(container.id);
    store.containerNames.release(containerName(container.config, container.record.sandboxId));
    services.events.containerDeleted(container);
  });
}
