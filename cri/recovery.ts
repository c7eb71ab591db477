import fs from "node:fs";
import path from "node:path";
import { messageOf } from "../api/errors";
import type { ContainerId, SandboxId } from "../api/ids";
import { monitoredIn } from "../oci/runtime/workers";
import { Limiter } from "../sys/limiter";
import { namespaceTypes } from "../sys/namespaces";
import { continueClock, nowNs } from "./clock";
import { discardInRuntime } from "./container/discard";
import { clearAfterExit, isLost, readExit, recordExit, unknownExit } from "./container/exit";
import { removeContainerFiles } from "./container/remove";
import { ownParent } from "./sandbox/cgroup-parent";
import { podFiles } from "./sandbox/pod-files";
import { releaseCgroups } from "./sandbox/release-cgroups";
import type { Services } from "./services";
import { type Container, containerName, type ContainerRecord } from "./store/container";
import { containerFingerprint, podFingerprint } from "./store/request-fingerprint";
import { sandboxName, type SandboxRecord } from "./store/sandbox";

/**
 * Rebuilds the store at start from the records on disk and from what really runs. What an operation left half made is
 * taken down; what ended meanwhile gets its true exit code from the monitor's file.
 */
export async function recover(services: Services): Promise<void> {
  const { store, log } = services;
  services.cgroups.adopt([ownParent]);
  const loaded = store.load();
  continueAfter(loaded.sandboxes.records, loaded.containers.records);
  const discards = new Discards(services);
  for (const { id, ...why } of loaded.sandboxes.orphans) {
    log.warn("a sandbox without a readable record is taken down", { sandbox: id, ...why });
    discards.begin(`sandbox ${id}`, () => discardSandbox(services, id as SandboxId, []));
  }
  for (const record of oldestFirst(loaded.sandboxes.records)) {
    services.cgroups.adopt(record.madeCgroups, record.id);
    if (record.phase === "creating")
      discards.begin(`sandbox ${record.id}`, () => discardSandbox(services, record.id, record.madeCgroups));
    else adoptSandbox(services, record);
  }
  await discards.end();
  for (const { id, ...why } of loaded.containers.orphans) {
    log.warn("a container without a readable record is taken down", { container: id, ...why });
    discards.begin(`container ${id}`, () => discardContainer(services, id as ContainerId));
  }
  for (const record of oldestFirst(loaded.containers.records)) {
    if (store.sandboxes.find(record.sandboxId))
      await attempt(services, `container ${record.id} could not be taken over whole`, () =>
        adoptContainer(services, record),
      );
    else discards.begin(`container ${record.id}`, () => discardContainer(services, record.id));
  }
  await discards.end();
  const known = new Set<string>([...loaded.sandboxes.records, ...loaded.containers.records].map(({ id }) => id));
  for (const id of await straysOf(services, known)) {
    log.warn("what is left of a container that is gone is taken away", { container: id });
    discards.begin(`what is left of container ${id}`, () => discardContainer(services, id));
  }
  await discards.end();
}

/** What is taken down side by side: a network plugin may take as long for each as its limit allows. */
class Discards {
  private readonly limiter = new Limiter(8);
  private readonly begun: Promise<void>[] = [];

  constructor(private readonly services: Services) {}

  begin(what: string, work: () => Promise<void>): void {
    this.begun.push(this.limiter.run(() => attempt(this.services, `${what} could not be taken down whole`, work)));
  }

  /** Waits for all of them. */
  async end(): Promise<void> {
    await Promise.all(this.begun.splice(0));
  }
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
    log.error(`${what}; the next start tries again`, { error: messageOf(error) });
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
  if (record.exit) return clearCutOff(services, container);
  if (record.startingAtNs && !record.startedAtNs) await settleStart(services, container);
  const exit = readExit(services, container);
  if (exit) await recordExit(services, container, exit);
  else if (isLost(container)) {
    await recordExit(services, container, unknownExit("it ended while nobody watched", String(nowNs())));
  }
}

/** One that has ended was cleared after, unless the daemon died just then. */
async function clearCutOff(services: Services, container: Container): Promise<void> {
  const { cgroups, runtimes } = services;
  const { handler, cgroups: own } = container.record;
  if (cgroups.existsOwn(own, container.id) || (await runtimes.get(handler).has(container.id)))
    await clearAfterExit(services, container);
  else container.cleanUp = Promise.resolve();
}

/** Whether a start that the daemon's death cut off has come to its end nevertheless. */
async function settleStart({ store, runtimes }: Services, container: Container): Promise<void> {
  const { handler, startingAtNs } = container.record;
  if (await runtimes.get(handler).wasStarted(container.id))
    store.updateContainer(container, { startedAtNs: startingAtNs });
  else store.updateContainer(container, { startingAtNs: undefined });
}

/** Whatever no record speaks of: of containers whose making was cut off, by a crash of this daemon or another. */
async function straysOf({ runtimes, images, paths }: Services, known: ReadonlySet<string>): Promise<ContainerId[]> {
  const inRuntimes = await Promise.all(runtimes.names().map((name) => runtimes.get(name).list()));
  const found = [...inRuntimes.flat(), ...monitoredIn(paths.exits)];
  return [...new Set([...found, ...images.rootfsOwners()] as ContainerId[])].filter(
    (id) => /^[0-9a-f]{64}$/.test(id) && !known.has(id),
  );
}

/** Removes all traces of a sandbox that is no whole one. */
async function discardSandbox(services: Services, id: SandboxId, madeCgroups: string[]): Promise<void> {
  const { runtimes, networks, namespaces, mounts, paths } = services;
  const directory = paths.sandbox(id);
  const bundle = path.join(directory, "holder");
  if (fs.existsSync(bundle)) await discardInRuntime(services, { id, bundle, runtimes: all(runtimes) });
  const netns = path.join(directory, "ns", "net");
  await networks.tearDown({ sandboxId: id, netnsPath: namespaces.isPinned(netns) ? netns : "" });
  for (const point of [podFiles(directory).shm, podFiles(directory).holderRoot]) mounts.unmount(point);
  for (const type of namespaceTypes) namespaces.unpin(path.join(directory, "ns", type));
  await releaseCgroups(services, { id, madeCgroups });
  fs.rmSync(directory, { recursive: true, force: true });
}

async function discardContainer(services: Services, id: ContainerId): Promise<void> {
  const bundle = services.paths.container(id);
  await discardInRuntime(services, { id, bundle, runtimes: all(services.runtimes) });
  await removeContainerFiles(services, id);
}

const all = (runtimes: Services["runtimes"]) => runtimes.names().map((name) => runtimes.get(name));
