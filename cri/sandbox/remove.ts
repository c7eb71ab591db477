import fs from "node:fs";
import { removeContainer } from "../container/remove";
import { faultPoint } from "../../sys/fault-points";
import type { Services } from "../services";
import type { Sandbox } from "../store/sandbox";
import { releaseCgroups } from "./release-cgroups";
import { stopSandbox } from "./stop";

/** Removes a sandbox with its containers, by force where they run. */
export async function removeSandbox(services: Services, sandbox: Sandbox): Promise<void> {
  const { store, locks, paths } = services;
  await faultPoint("RemovePodSandbox.stop");
  await stopSandbox(services, sandbox);
  await faultPoint("RemovePodSandbox.containers");
  await Promise.all(store.containersOf(sandbox.id).map((container) => removeContainer(services, container)));
  await locks.run(sandbox.id, async () => {
    if (!store.sandboxes.find(sandbox.id)) return;
    await faultPoint("RemovePodSandbox.cgroups");
    await releaseCgroups(services, sandbox.record);
    await faultPoint("RemovePodSandbox.files");
    fs.rmSync(paths.sandbox(sandbox.id), { recursive: true, force: true });
    await faultPoint("RemovePodSandbox.forget");
    store.sandboxes.delete(sandbox.id);
    store.sandboxNames.release(sandbox.name);
    services.events.sandboxDeleted(sandbox);
  });
}
