import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { BerthError, during } from "../../api/errors";
import { type ContainerId, newContainerId } from "../../api/ids";
import {
  codec,
  type ContainerConfig,
  type CreateContainerRequest,
  NamespaceMode,
  PodSandboxState,
} from "../../api/messages";
import type { ImageRecord } from "../../images/types";
import { encodeSpec } from "../../oci/runtime-spec";
import { buildSpec } from "../../oci/spec/build";
import type { SpecInput } from "../../oci/spec/input";
import { type SelinuxLabels, selinuxLabels } from "../../oci/spec/selinux";
import { cgroupsOf, cutCgroups } from "../../sys/cgroups";
import { writeFileAtomically } from "../../sys/durable-file";
import { faultPoint } from "../../sys/fault-points";
import { outerRoot } from "../../sys/id-mapping";
import { identify } from "../../sys/process-identity";
import { UndoStack } from "../../sys/undo";
import { nowNs } from "../clock";
import { cgroupsPathFor, parentCgroup } from "../sandbox/cgroup-parent";
import { podFiles } from "../sandbox/pod-files";
import { userNamespaceOf } from "../sandbox/user-namespace";
import { currentState } from "../sandbox/status";
import { makeObjectDirectory } from "../private-directory";
import type { Services } from "../services";
import { undoSoonerOrLater } from "../undo-later";
import { type ContainerRecord, containerName } from "../store/container";
import { recordVersion } from "../store/record-files";
import { containerFingerprint } from "../store/request-fingerprint";
import type { Sandbox } from "../store/sandbox";
import { checkContainerConfig } from "./check-config";
import { discardInRuntime } from "./discard";
import { type ImageVolume, mountImageVolumes } from "./image-volumes";
import { prepareLogPath } from "./log-path";
import { kernelFeatures } from "./kernel-features";
import { signalNumber, signalOfRequest } from "./signals";

/** Makes a container, or joins who makes it already; a retried request gets the first one's result. */
export async function createContainer(services: Services, request: CreateContainerRequest): Promise<ContainerId> {
  const { store } = services;
  const { config } = request;
  const sandbox = store.sandboxes.get(request.podSandboxId);
  if (!config) throw new BerthError("InvalidArgument", "the request has no container configuration");
  checkContainerConfig(config);
  return store.containerNames.reserve(containerName(config, sandbox.id), containerFingerprint(config), () =>
    make(services, sandbox, config),
  );
}

async function make(services: Services, sandbox: Sandbox, config: ContainerConfig): Promise<ContainerId> {
  const { paths, store } = services;
  checkReady(services, sandbox);
  const image = requestedImage(services, config);
  const id = newContainerId();
  const undo = new UndoStack();
  try {
    undo.push("the bundle", () => fs.rmSync(paths.container(id), { recursive: true, force: true }));
    const record = await build(services, { id, sandbox, config, image }, undo);
    await faultPoint("CreateContainer.record");
    // one that was stopped meanwhile does not know of this container, and would not take it along
    checkReady(services, sandbox);
    services.events.containerCreated(store.addContainer(record));
    return id;
  } catch (error) {
    await undoSoonerOrLater(services, undo, { container: id });
    throw during(`container ${config.metadata?.name}`, error);
  }
}

function checkReady(services: Services, sandbox: Sandbox): void {
  if (currentState(services, sandbox) === PodSandboxState.SANDBOX_READY) return;
  throw new BerthError("FailedPrecondition", `sandbox ${sandbox.id} is not ready: it was stopped, or has died`);
}

function requestedImage(services: Services, config: ContainerConfig): ImageRecord {
  const name = config.image?.image ?? "";
  if (name === "") throw new BerthError("InvalidArgument", "the container configuration names no image");
  const image = services.images.status(name);
  if (!image) throw new BerthError("NotFound", `image "${name.slice(0, 300)}" not found`, { hint: "pull it first" });
  return image;
}

interface NewContainer {
  id: ContainerId;
  sandbox: Sandbox;
  config: ContainerConfig;
  image: ImageRecord;
}

async function build(services: Services, made: NewContainer, undo: UndoStack): Promise<ContainerRecord> {
  const { id, sandbox, config, image } = made;
  const { paths, images, runtimes, log } = services;
  const runtime = runtimes.get(sandbox.record.handler);
  const bundle = paths.container(id);
  const rootfs = paths.rootfs(id);
  const userNamespace = userNamespaceOf(sandbox);
  await faultPoint("CreateContainer.bundle");
  makeObjectDirectory(bundle, outerRoot(userNamespace));
  fs.mkdirSync(rootfs, { mode: 0o711 });
  await faultPoint("CreateContainer.log");
  const logPath = await prepareLogPath(sandbox.config.logDirectory, config.logPath);

  undo.push("the root filesystem", () => images.releaseRootfs(id, rootfs));
  const selinux = selinuxLabels(kernelFeatures().selinux, [
    config.linux?.securityContext?.selinuxOptions,
    sandbox.config.linux?.securityContext?.selinuxOptions,
  ]);
  const label = selinux.mount;
  await faultPoint("CreateContainer.rootfs");
  await images.mountRootfs({ containerId: id, image: image.id, target: rootfs, userNamespace, label });
  const volumesDir = volumesDirectory(services, id);
  undo.push("the image's volumes", () => fs.rmSync(volumesDir, { recursive: true, force: true }));
  const imageVolumes = await mountImageVolumes(services, { id, config, userNamespace, label }, undo);

  const input = specInput(services, made, { rootfs, volumesDir, imageVolumes, selinux });
  const { spec, user, warnings } = await buildSpec(input);
  for (const warning of warnings) log.debug(warning, { container: id });
  await faultPoint("CreateContainer.spec");
  writeFileAtomically(path.join(bundle, "config.json"), encodeSpec(spec));

  // its monitor leaves one where it ends by itself
  undo.push("the exit file", () => fs.rmSync(path.join(paths.exits, id), { force: true }));
  undo.push("the runtime's container", () => discardInRuntime(services, { runtimes: [runtime], id, bundle }));
  await faultPoint("CreateContainer.monitor");
  const { pid } = await runtime.create({
    id,
    bundle,
    logPath: logPath || undefined,
    terminal: config.tty,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
  });
  await faultPoint("CreateContainer.made");
  const monitorPid = Number(fs.readFileSync(path.join(bundle, "conmon.pid"), "utf8"));
  return {
    version: recordVersion,
    id,
    sandboxId: sandbox.id,
    config: codec("ContainerConfig").encode(config).toString("base64"),
    resources: codec("LinuxContainerResources")
      .encode(config.linux?.resources ?? {})
      .toString("base64"),
    handler: sandbox.record.handler,
    image: {
      id: image.id,
      name: config.image?.userSpecifiedImage || image.tags[0] || config.image!.image,
      digest: image.digests[0] ?? image.id,
    },
    imageVolumes: Object.fromEntries([...imageVolumes].map(([index, { imageRef }]) => [index, imageRef])),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    stopSignal:
      signalOfRequest(config.stopSignal) ?? signalNumber(image.config.StopSignal ?? "") ?? os.constants.signals.SIGTERM,
    logPath,
    process: identify(pid),
    monitor: identify(monitorPid),
    cgroups: cutCgroups(cgroupsOf(pid), id),
    createdAtNs: String(nowNs()),
  };
}

/** On the disk, not with the state: what an image declares a volume can grow large. */
export const volumesDirectory = (services: Services, id: ContainerId) => path.join(services.config.root, "volumes", id);

interface SpecPlaces {
  rootfs: string;
  volumesDir: string;
  imageVolumes: Map<number, ImageVolume>;
  selinux: SelinuxLabels;
}

function specInput(services: Services, { id, sandbox, config, image }: NewContainer, at: SpecPlaces): SpecInput {
  const { cgroups, cgroupDriver, daemon, runtimes } = services;
  const { record } = sandbox;
  const files = podFiles(services.paths.sandbox(sandbox.id));
  const parent = parentCgroup(sandbox.config.linux?.cgroupParent ?? "", cgroupDriver);
  const settings = services.config.runtime;
  const runtime = runtimes.get(record.handler);
  const handler = settings.handlers[runtime.name];
  return {
    containerId: id,
    sandbox: {
      id: sandbox.id,
      config: sandbox.config,
      namespaces: {
        network: record.namespaces.net,
        ipc: record.namespaces.ipc,
        uts: record.namespaces.uts,
        pid: record.namespaces.pid,
        user: userNamespaceOf(sandbox),
      },
      hostname: sandbox.config.hostname || os.hostname(),
      hostsPath: files.hosts,
      resolvConfPath: files.resolvConf,
      hostnamePath: files.hostname,
      shmPath: record.namespaces.ipc ? files.shm : undefined,
      privileged: sandbox.config.linux?.securityContext?.privileged ?? false,
    },
    config,
    image: { id: image.id, name: config.image!.image, config: image.config },
    rootfsPath: at.rootfs,
    cgroup: { version: cgroups.version, driver: cgroupDriver, path: cgroupsPathFor(parent, id, cgroupDriver) },
    defaults: {
      capabilities: settings.default_capabilities.map((name) => (name.startsWith("CAP_") ? name : `CAP_${name}`)),
      seccompProfilePath: settings.seccomp_profile || undefined,
      apparmorProfile: services.apparmorProfile,
      pidsLimit: settings.pids_limit > 0 ? settings.pids_limit : undefined,
    },
    daemon,
    cdi: {
      enabled: settings.enable_cdi,
      specDirs: settings.cdi_spec_dirs,
      allowHooks: settings.cdi_allow_hooks,
    },
    features: { ...kernelFeatures(), ...runtime.features },
    targetPidPath: targetPidPath(services, config),
    volumesDir: at.volumesDir,
    imageMounts: new Map([...at.imageVolumes].map(([index, volume]) => [index, volume.path])),
    selinux: at.selinux,
    deviceOwnership: settings.device_ownership_from_security_context,
    privilegedWithoutHostDevices: handler?.privileged_without_host_devices,
    allowedAnnotations: handler?.allowed_annotations,
  };
}

/** The PID namespace of the container that mode TARGET names. */
function targetPidPath({ store }: Services, config: ContainerConfig): string | undefined {
  const options = config.linux?.securityContext?.namespaceOptions;
  if (options?.pid !== NamespaceMode.TARGET) return undefined;
  const target = store.containers.get(options.targetId);
  if (!target.isRunning || !target.record.process) {
    throw new BerthError(
      "FailedPrecondition",
      `container ${options.targetId}, whose processes are to be shared, does not run`,
    );
  }
  return `/proc/${target.record.process.pid}/ns/pid`;
}
