import fs from "node:fs";
import path from "node:path";
import { messageOf } from "../api/errors";
import type { ContainerId, SandboxId } from "../api/ids";
import { namespaceTypes } from "../sys/namespaces";
import { continueClock, nowNs } from "./clock";
import { isLost, readExit, recordExit, unknownExit } from "./container/exit";
import { removeContainerFiles } from "./container/remove";
import { ownParent } from "./sandbox/cgroup-parent";
import { podFiles } from "./sandbox/pod-files";
import { releaseCgroups } from "./sandbox/release-cgroups";
import type { Services } from "./services";
import { containerName, type ContainerRecord } from "./store/container";
import { containerFingerprint, podFingerprint } from "./store/request-fingerprint";
import { sandboxName, type SandboxRecord } from "./store/sandbox";

/**
 * Rebuilds the store at start from the records on disk and from what really runs. What an operation left half made is
 * taken down; what ended meanwhile gets its true exit code from the monitor's file.
 */
export async function recover(services: Services): Promise<void> {
  const { store, log, networks } = services;
  services.cgroups.adopt([ownParent]);
  const loaded = store.load();
  continueAfter(loaded.sandboxes.records, loaded.containers.records);
  for (const { id, ...why } of loaded.sandboxes.orphans) {
    log.warn("a sandbox without a readable record is taken down", { sandbox: id, ...why });
    await attempt(services, `sandbox ${id}`, () => discardSandbox(services, id as SandboxId, []));
  }
  for (const record of oldestFirst(loaded.sandboxes.records)) {
    services.cgroups.adopt(record.madeCgroups, record.id);
    if (record.phase === "creating")
      await attempt(services, `sandbox ${record.id}`, () => discardSandbox(services, record.id, record.madeCgroups));
    else adoptSandbox(services, record);
  }
  for (const { id, ...why } of loaded.containers.orphans) {
    log.warn("a container without a readable record is taken down", { container: id, ...why });
    await attempt(services, `container ${id}`, () => discardContainer(services, id as ContainerId));
  }
  for (const record of oldestFirst(loaded.containers.records)) {
    if (store.sandboxes.find(record.sandboxId)) await adoptContainer(services, record);
    else await attempt(services, `container ${record.id}`, () => discardContainer(services, record.id));
  }
  for (const id of services.images.rootfsOwners()) {
    if (!store.containers.find(id))
      await attempt(services, `the root filesystem of ${id}`, () => discardContainer(services, id));
  }
  const valid = new Set(store.sandboxes.list().map((sandbox) => sandbox.id));
  for (const failure of await networks.gc(valid)) log.warn("a network attachment is left over", { failure });
}

/** Lists are in the order of creation, as before. */
const oldestFirst = <R extends { createdAtNs: string }>(records: R[]) =>
  records.toSorted((a, b) => (BigInt(a.createdAtNs) < BigInt(b.createdAtNs) ? -1 : 1));

/** The kubelet takes the latest sandbox and the latest container of a name for those that count. */
function continueAfter(sandboxes: SandboxRecord[], containers: ContainerRecord[]): void {
  for (const { createdAtNs } of [...sandboxes, ...containers]) continueClock(BigInt(createdAtNs));
  for (const { startedAtNs } of containers) if (startedAtNs) continueClock(BigInt(startedAtNs));
}

async function attempt({ log }: Services, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.error(`${what} could not be taken down whole; the next start tries again`, { error: messageOf(error) });
  }
}

function adoptSandbox({ store }: Services, record: SandboxRecord): void {
  const sandbox = store.adoptSandbox(record);
  const fingerprint = podFingerprint(sandbox.config, record.handler);
  store.sandboxNames.hold(sandboxName(sandbox.config), fingerprint, record.id);
}

async function adoptContainer(services: Services, record: ContainerRecord): Promise<void> {
  const { store } = services;
  const container = store.adoptContainer(record);
  const name = containerName(container.config, record.sandboxId);
  store.containerNames.hold(name, containerFingerprint(container.config), record.id);
  if (record.exit) {
    container.cleanUp = Promise.resolve();
    return;
  }
  const exit = readExit(services, container);
  if (exit) await recordExit(services, container, exit);
  else if (isLost(container)) {
    await recordExit(services, container, unknownExit("it ended while nobody watched", String(nowNs())));
  }
}

/** Removes all traces of a sandbox that is no whole one. */
async function discardSandbox(services: Services, id: SandboxId, madeCgroups: string[]): Promise<void> {
  const { runtimes, networks, namespaces, mounts, paths } = services;
  const directory = paths.sandbox(id);
  for (const name of runtimes.names()) await runtimes.get(name).delete(id);
  const netns = path.join(directory, "ns", "net");
  await networks.tearDown({ sandboxId: id, netnsPath: namespaces.isPinned(netns) ? netns : "" });
  for (const point of [podFiles(directory).shm, podFiles(directory).holderRoot]) mounts.unmount(point);
  for (const type of namespaceTypes) namespaces.unpin(path.join(directory, "ns", type));
  await releaseCgroups(services, { id, madeCgroups });
  fs.rmSync(directory, { recursive: true, force: true });
}

async function discardContainer(services: Services, id: ContainerId): Promise<void> {
  for (const name of services.runtimes.names()) await services.runtimes.get(name).delete(id);
  await removeContainerFiles(services, id);
}
