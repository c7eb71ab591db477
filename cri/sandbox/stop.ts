import fs from "node:fs";
import path from "node:path";
import type { SandboxId } from "../../api/ids";
import { faultPoint } from "../../sys/fault-points";
import { namespaceTypes } from "../../sys/namespaces";
import { stopContainer } from "../container/stop";
import type { Services } from "../services";
import type { Sandbox } from "../store/sandbox";
import { podFiles } from "./pod-files";

/**
 * Ends all that runs in a sandbox and gives its network back. Each part may be gone already, and may be asked for
 * again; only a network that could not be given back makes it fail, so that the kubelet tries again.
 */
export async function stopSandbox(services: Services, sandbox: Sandbox): Promise<void> {
  await faultPoint("StopPodSandbox.containers");
  await stopContainers(services, sandbox.id);
  await services.locks.run(sandbox.id, () => takeDown(services, sandbox));
}

async function stopContainers(services: Services, id: SandboxId): Promise<void> {
  await Promise.all(services.store.containersOf(id).map((container) => stopContainer(services, container, 0)));
}

async function takeDown(services: Services, sandbox: Sandbox): Promise<void> {
  const { store, networks, namespaces, mounts, runtimes } = services;
  const { id, record } = sandbox;
  const directory = services.paths.sandbox(id);
  if (record.phase === "stopped" && !fs.existsSync(path.join(directory, "ns"))) return;
  await faultPoint("StopPodSandbox.record");
  if (record.phase !== "stopped") {
    store.noteSandbox(sandbox, { phase: "stopped" });
    services.events.sandboxStopped(sandbox);
  }
  // what was created in it until a moment ago; from here on nothing comes any more
  await stopContainers(services, id);
  await faultPoint("StopPodSandbox.holder");
  if (record.holder || record.namespaces.pid) await runtimes.get(record.handler).delete(id);
  await faultPoint("StopPodSandbox.network");
  const netns = record.namespaces.net;
  await networks.tearDown({ sandboxId: id, netnsPath: netns && namespaces.isPinned(netns) ? netns : "" });
  await faultPoint("StopPodSandbox.mounts");
  for (const point of [podFiles(directory).shm, podFiles(directory).holderRoot]) mounts.unmount(point);
  await faultPoint("StopPodSandbox.namespaces");
  for (const type of namespaceTypes) namespaces.unpin(path.join(directory, "ns", type));
  await faultPoint("StopPodSandbox.files");
  fs.rmSync(path.join(directory, "ns"), { recursive: true, force: true });
  fs.rmSync(path.join(directory, "holder"), { recursive: true, force: true });
  await faultPoint("StopPodSandbox.stopped");
  store.noteSandbox(sandbox, { ips: [], holder: undefined });
}
