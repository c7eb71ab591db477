import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { BerthError, during } from "../../api/errors";
import { newSandboxId, type SandboxId } from "../../api/ids";
import { codec, type PodSandboxConfig, PodSandboxState, type RunPodSandboxRequest } from "../../api/messages";
import { runHolder } from "../../oci/runtime/holder";
import { checkSysctls } from "../../oci/spec/sysctls";
import { faultPoint } from "../../sys/fault-points";
import { outerRoot } from "../../sys/id-mapping";
import { MS_NODEV, MS_NOEXEC, MS_NOSUID } from "../../sys/mounts";
import { identify } from "../../sys/process-identity";
import { UndoStack } from "../../sys/undo";
import { nowNs } from "../clock";
import { discardInRuntime } from "../container/discard";
import { makeLogDirectory } from "../container/log-path";
import { makeObjectDirectory } from "../private-directory";
import type { Services } from "../services";
import { undoSoonerOrLater } from "../undo-later";
import { recordVersion } from "../store/record-files";
import { podFingerprint } from "../store/request-fingerprint";
import { type SandboxRecord, sandboxName } from "../store/sandbox";
import { cgroupsPathFor, parentCgroup, parentPath } from "./cgroup-parent";
import { checkPodConfig } from "./check-config";
import { sandboxModes } from "./namespace-modes";
import { releaseCgroups } from "./release-cgroups";
import { pinNamespaces } from "./pin-namespaces";
import { podFiles, writePodFiles } from "./pod-files";
import { requireUserNamespaces, type UserMappings, userMappings } from "./user-namespace";
import { currentState } from "./status";

/** As containerd has it; a pod's /dev/shm is otherwise the kernel's half of all memory. */
const shmBytes = 64 << 20;

/** The holder's root has one small program, and the runtime's device nodes and mount points. */
const holderBytes = 256 << 10;

/**
 * Makes a sandbox, or joins who makes it already: a request that is retried gets the first one's result, as long as
 * that sandbox is READY.
 */
export async function createSandbox(services: Services, request: RunPodSandboxRequest): Promise<SandboxId> {
  const { config } = request;
  if (!config) throw new BerthError("InvalidArgument", "the request has no sandbox configuration");
  checkPodConfig(config);
  const { sandboxNames, sandboxes } = services.store;
  const name = sandboxName(config);
  const fingerprint = podFingerprint(config, request.runtimeHandler);
  const id = await sandboxNames.reserve(name, fingerprint, () => make(services, config, request.runtimeHandler));
  const made = sandboxes.find(id);
  if (!made || currentState(services, made) !== PodSandboxState.SANDBOX_READY) {
    throw new BerthError("AlreadyExists", `the name "${name}" is reserved by sandbox ${id}, which is not ready`, {
      hint: "remove that one first, or ask with the next attempt number",
    });
  }
  return id;
}

async function make(services: Services, config: PodSandboxConfig, handler: string): Promise<SandboxId> {
  const { paths, store } = services;
  const id = newSandboxId();
  const undo = new UndoStack();
  try {
    undo.push("the state directory", () => fs.rmSync(paths.sandbox(id), { recursive: true, force: true }));
    const record = await build(services, { id, config, handler }, undo);
    await faultPoint("RunPodSandbox.ready");
    services.events.sandboxRuns(store.addSandbox(record));
    return id;
  } catch (error) {
    await undoSoonerOrLater(services, undo, { sandbox: id });
    throw during(`sandbox ${sandboxName(config)}`, error);
  }
}

interface NewSandbox {
  id: SandboxId;
  config: PodSandboxConfig;
  handler: string;
}

async function build(services: Services, { id, config, handler }: NewSandbox, undo: UndoStack): Promise<SandboxRecord> {
  const { paths, store, mounts, cgroups, runtimes } = services;
  const runtime = runtimes.get(handler);
  const modes = sandboxModes(config);
  const user = userMappings(config, modes);
  if (user) requireUserNamespaces(services, handler);
  const sysctls = checkSysctls({ ...defaultSysctls(services, modes), ...(config.linux?.sysctls ?? {}) }, modes);
  const parent = parentCgroup(config.linux?.cgroupParent ?? "", services.cgroupDriver);
  const directory = paths.sandbox(id);
  const hostname = config.hostname || os.hostname();

  const namespaceDirectory = path.join(directory, "ns");
  await faultPoint("RunPodSandbox.directory");
  const owner = outerRoot(user);
  makeObjectDirectory(directory, owner);
  fs.mkdirSync(namespaceDirectory, { mode: 0o711 });
  if (config.logDirectory) await makeLogDirectory(config.logDirectory);
  const record: SandboxRecord = {
    version: recordVersion,
    id,
    config: codec("PodSandboxConfig").encode(config).toString("base64"),
    handler,
    createdAtNs: String(nowNs()),
    phase: "creating",
    namespaces: {},
    ips: [],
    madeCgroups: [],
  };
  await faultPoint("RunPodSandbox.record");
  // from here on a restart finds what it has to take down
  store.writeSandbox(record);

  await faultPoint("RunPodSandbox.namespaces");
  await pinNamespaces(services, { record, modes, user, hostname, sysctls, directory: namespaceDirectory }, undo);

  const files = podFiles(directory);
  await faultPoint("RunPodSandbox.files");
  writePodFiles(files, { hostname, dns: config.dnsConfig, owner });
  if (!modes.hostIpc) {
    fs.mkdirSync(files.shm);
    await faultPoint("RunPodSandbox.shm");
    undo.push("the shared memory", () => mounts.unmount(files.shm));
    mounts.tmpfs(files.shm, { sizeBytes: shmBytes, mode: 0o1777, owner, flags: MS_NOSUID | MS_NODEV | MS_NOEXEC });
  }

  undo.push("the cgroups", () => releaseCgroups(services, record));
  const cgroupPath = parentPath(parent, services.cgroupDriver);
  await faultPoint("RunPodSandbox.cgroup-claim");
  record.madeCgroups = cgroups.claim(cgroupPath, id);
  // what is made next must be known to a restart first
  store.writeSandbox(record);
  await faultPoint("RunPodSandbox.cgroup");
  if (services.cgroupDriver === "cgroupfs") {
    record.madeCgroups = cgroups.ensure(cgroupPath, id);
    store.writeSandbox(record);
  }
  await faultPoint("RunPodSandbox.network");
  // the network takes longest, and the holder needs only its namespace: side by side
  const network = modes.hostNetwork
    ? Promise.resolve([])
    : attach(services, { id, config, netns: record.namespaces.net!, cgroupPath }, undo);
  const holder = modes.sharedPid
    ? hold(services, { id, runtime, parent, record, directory, user }, undo)
    : Promise.resolve(undefined);
  const [ips] = await settled([network, holder]);
  record.ips = ips as string[];
  record.phase = "ready";
  return record;
}

interface AttachedSandbox {
  id: SandboxId;
  config: PodSandboxConfig;
  netns: string;
  cgroupPath: string;
}

/** Gives the pod its network; returns its addresses. */
async function attach({ networks }: Services, pod: AttachedSandbox, undo: UndoStack): Promise<string[]> {
  const { id: sandboxId, netns: netnsPath, cgroupPath } = pod;
  const { metadata, annotations, portMappings, dnsConfig: dns } = pod.config;
  const { namespace, name, uid } = metadata!;
  undo.push("the network", () => networks.tearDown({ sandboxId, netnsPath }));
  const names = { sandboxId, netnsPath, namespace, name, uid };
  const { ips } = await networks.setUp({ ...names, annotations, portMappings, dns, cgroupPath });
  return ips;
}

interface HeldSandbox {
  id: SandboxId;
  runtime: ReturnType<Services["runtimes"]["get"]>;
  parent: string;
  record: SandboxRecord;
  directory: string;
  user: UserMappings | undefined;
}

async function hold(services: Services, held: HeldSandbox, undo: UndoStack): Promise<void> {
  const { id, runtime, parent, record, directory, user } = held;
  const rootfs = podFiles(directory).holderRoot;
  fs.mkdirSync(rootfs, { recursive: true });
  await faultPoint("RunPodSandbox.holder-root");
  undo.push("the holder's root", () => services.mounts.unmount(rootfs));
  // the state may lie where no program may run, as /run on Debian, and in a user namespace that can't be lifted
  const flags = MS_NOSUID | MS_NODEV;
  services.mounts.tmpfs(rootfs, { sizeBytes: holderBytes, mode: 0o755, owner: outerRoot(user), flags });
  const bundle = path.join(directory, "holder");
  undo.push("the process that holds the PID namespace", () =>
    discardInRuntime(services, { id, bundle, runtimes: [runtime] }),
  );
  await faultPoint("RunPodSandbox.holder-run");
  const { pid } = await runHolder(runtime, {
    id,
    bundle,
    cgroupsPath: cgroupsPathFor(parent, id, services.cgroupDriver),
    namespaces: record.namespaces,
    userMappings: user,
  });
  record.holder = identify(pid);
  await faultPoint("RunPodSandbox.holder-pin");
  const file = path.join(directory, "ns", "pid");
  undo.push("the PID namespace", () => services.namespaces.unpin(file));
  services.namespaces.pinOf(pid, "pid", file);
  record.namespaces.pid = file;
}

/** Waits for all, so that nothing still runs while what was done is undone; then throws the first failure. */
async function settled<T extends readonly Promise<unknown>[]>(work: T): Promise<unknown[]> {
  const results = await Promise.allSettled(work);
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

/** The configuration's sysctls, but for those of namespaces that the pod shares with the host. */
function defaultSysctls(services: Services, modes: { hostNetwork: boolean; hostIpc: boolean }): Record<string, string> {
  const pairs = services.config.runtime.default_sysctls.map((each) => {
    const [key = "", ...value] = each.split("=");
    return [key.trim(), value.join("=").trim()] as const;
  });
  return Object.fromEntries(pairs.filter(([key]) => (key.startsWith("net") ? !modes.hostNetwork : !modes.hostIpc)));
}
