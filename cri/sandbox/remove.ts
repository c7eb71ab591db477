import fs from "node:fs";
import { removeContainer } from "../container/remove";
import type { Services } from "../services";
import type { Sandbox } from "../store/sandbox";
import { releaseCgroups } from "./release-cgroups";
import { stopSandbox } from "./stop";

/** Removes a sandbox with its containers, by force where they run. */
export async function removeSandbox(services: Services, sandbox: Sandbox): Promise<void> {
  const { store, locks, paths } = services;
  await stopSandbox(services, sandbox);
  await Promise.all(store.containersOf(sandbox.id).map((container) => removeContainer(services, container)));
  await locks.run(sandbox.id, async () => {
    if (!store.sandboxes.find(sandbox.id)) return;
    await releaseCgroups(services, sandbox.record);
    fs.rmSync(paths.sandbox(sandbox.id), { recursive: true, force: true });
    store.sandboxes.delete(sandbox.id);
    store.sandboxNames.release(sandbox.name);
    services.events.sandboxDeleted(sandbox);
  });
}
