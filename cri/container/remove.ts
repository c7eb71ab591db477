import fs from "node:fs";
import path from "node:path";
import type { ContainerId } from "../../api/ids";
import { faultPoint } from "../../sys/fault-points";
import type { Services } from "../services";
import { type Container, containerName } from "../store/container";
import { volumesDirectory } from "./create";
import { clearProcesses } from "./exit";
import { releaseImageVolumes } from "./image-volumes";
import { stopContainer } from "./stop";

/** Removes a container, by force where it runs. */
export async function removeContainer(services: Services, container: Container): Promise<void> {
  const { store, locks } = services;
  await faultPoint("RemoveContainer.stop");
  await stopContainer(services, container, 0);
  await locks.run(container.id, async () => {
    if (!store.containers.find(container.id)) return;
    // a clearing away that failed at the exit is tried again here
    if (!container.cleanUp) await clearProcesses(services, container);
    await removeContainerFiles(services, container.id);
    await faultPoint("RemoveContainer.forget");
    store.containers.delete(container.id);
    store.containerNames.release(containerName(container.config, container.record.sandboxId));
    services.events.containerDeleted(container);
  });
}

/** Takes away what a container, or half of one, has on the host's filesystems and mounted there. */
export async function removeContainerFiles(services: Services, id: ContainerId): Promise<void> {
  const { images, paths } = services;
  await faultPoint("RemoveContainer.image-volumes");
  releaseImageVolumes(services, id);
  await faultPoint("RemoveContainer.rootfs");
  await images.releaseRootfs(id, paths.rootfs(id));
  await faultPoint("RemoveContainer.volumes");
  fs.rmSync(volumesDirectory(services, id), { recursive: true, force: true });
  await faultPoint("RemoveContainer.exit-file");
  fs.rmSync(path.join(paths.exits, id), { force: true });
  await faultPoint("RemoveContainer.bundle");
  fs.rmSync(paths.container(id), { recursive: true, force: true });
}
