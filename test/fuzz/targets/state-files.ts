import fs from "node:fs";
import path from "node:path";
import type { ContainerId, Digest, SandboxId } from "../../../api/ids";
import { codec } from "../../../api/messages";
import { AttachmentCache } from "../../../cni/attachment-cache";
import { verboseContainerInfo } from "../../../cri/container/verbose-info";
import { podState } from "../../../cri/events/pod-state";
import { recover } from "../../../cri/recovery";
import { listContainers } from "../../../cri/rpc/list-containers";
import { listPodSandbox } from "../../../cri/rpc/list-pod-sandbox";
import { verboseSandboxInfo } from "../../../cri/sandbox/verbose-info";
import type { Services } from "../../../cri/services";
import { StatePaths } from "../../../cri/state-paths";
import { Store } from "../../../cri/store/store";
import { ImageStore } from "../../../images/image-store";
import { LayerStore } from "../../../images/layer-store";
import { Leases } from "../../../images/leases";
import { Snapshots } from "../../../images/snapshots";
import type { Mounts } from "../../../sys/mounts";
import { Canary, workDirectory } from "../canary";
import { checkError } from "../check-error";
import { type FuzzTarget, promise } from "../target";

const sandboxId = "ab".repeat(32) as SandboxId;
const containerId = "cd".repeat(32) as ContainerId;
const hex = "ef".repeat(32);
const digest = `sha256:${hex}` as Digest;
const canary = new Canary(path.join(workDirectory, "canary"));
/** Each run has a place of its own: what a start takes away may still be going when it has ended. */
let runs = 0;
let root = path.join(workDirectory, "0");
let paths = new StatePaths(path.join(root, "state"));

/**
 * What a start reads back: an object with a record of each kind, of which a text stands for a file of that text. A
 * start goes through whatever is there, and what it takes up can be told, listed and kept again.
 */
export const target: FuzzTarget = {
  form: "json",
  seeds,
  async run(input) {
    fs.rmSync(root, { recursive: true, force: true, maxRetries: 3 });
    root = path.join(workDirectory, String(++runs));
    paths = new StatePaths(path.join(root, "state"));
    const files = filesOf(input);
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(root, name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, text);
    }
    await readDaemonState();
    await readImages();
    await readAttachments();
    canary.check();
  },
};

async function readDaemonState(): Promise<void> {
  const store = new Store(paths, () => {});
  const services = servicesWith(store);
  await recover(services);
  for (const sandbox of store.sandboxes.list()) {
    codec("PodSandboxStatus").encode(podState(services, sandbox).podSandboxStatus);
    for (const status of podState(services, sandbox).containersStatuses) codec("ContainerStatus").encode(status);
    JSON.parse(verboseSandboxInfo(sandbox));
    store.updateSandbox(sandbox, { phase: "stopped" });
  }
  for (const container of store.containers.list()) {
    JSON.parse(verboseContainerInfo(services, container));
    promise(Number.isSafeInteger(container.record.exit?.code ?? 0), () => "an exit code is no number");
  }
  codec("ListContainersResponse").encode(await listContainers(services, { filter: null }));
  codec("ListPodSandboxResponse").encode(await listPodSandbox(services, { filter: null }));
  const again = new Store(paths, () => {}).load();
  const lost = [...again.sandboxes.orphans, ...again.containers.orphans];
  promise(lost.length === 0, () => `what was taken up is not read again: ${lost[0]?.reason}`);
}

/** What recovery calls beyond the files: nothing runs, and nothing is mounted. */
function servicesWith(store: Store): Services {
  const nothing = () => {};
  const failed = (message: string, fields: object) => {
    throw new Error(`${message}: ${JSON.stringify(fields)}`);
  };
  const runtime = {
    list: async () => [],
    has: async () => false,
    wasStarted: async () => false,
    delete: async () => {},
    deleteEnded: async () => {},
    discard: async () => {},
  };
  const stubs = {
    store,
    paths,
    log: { debug: nothing, info: nothing, warn: nothing, error: failed },
    networks: { gc: async () => [], tearDown: async () => {}, attachments: () => [] },
    cgroups: {
      adopt: nothing,
      release: () => [],
      removeEmpty: nothing,
      removeOwn: nothing,
      existsOwn: () => false,
      oomKills: () => 0,
      oomKillsAround: () => 0,
      kill: async () => {},
    },
    config: { root },
    cgroupDriver: "cgroupfs",
    runtimes: { names: () => ["runc"], get: () => runtime },
    namespaces: { isPinned: () => true, unpin: nothing },
    mounts: { unmount: nothing },
    images: { rootfsOwners: () => [], releaseRootfs: async () => {}, unmountImage: nothing, unmountReadOnly: nothing },
    events: { containerStopped: nothing, sandboxStopped: nothing },
  };
  return stubs as unknown as Services;
}

async function readImages(): Promise<void> {
  const reports: string[] = [];
  const report = (message: string) => void reports.push(message);
  const images = new ImageStore(path.join(root, "images"), { missingOf: () => undefined, report });
  await images.open();
  for (const record of images.list()) {
    for (const name of [...record.tags, ...record.digests]) images.resolve(name);
    const [repoTags, repoDigests, size] = [record.tags, record.digests, BigInt(record.sizeBytes)];
    codec("Image").encode({ id: record.id, repoTags, repoDigests, size });
    checkSettings(record.config);
    await images.put(record);
    await images.remove(record.id);
  }
  promise(images.list().length === 0, () => "an image cannot be removed");
  const mounts = { unmount: () => {} } as unknown as Mounts;
  const modules = { leases: new Leases(), mounts, report } as unknown as ConstructorParameters<typeof LayerStore>[1];
  const layers = new LayerStore({ root: path.join(root, "layers") }, modules);
  await layers.open();
  if (layers.has(digest)) layers.diffPaths([digest]);
  const snapshots = new Snapshots(path.join(root, "snapshots"), { mounts, report });
  await snapshots.open();
  for (const chainId of snapshots.list().flatMap((id) => snapshots.layersUnder(id)))
    promise(/^sha256:[0-9a-f]{64}$/.test(chainId), () => `layer ${chainId}`);
}

/** Containers are made of these without another look. */
function checkSettings(config: Record<string, unknown>): void {
  for (const key of ["User", "WorkingDir", "StopSignal"]) {
    promise(config[key] === undefined || typeof config[key] === "string", () => `${key} of an image is no text`);
  }
  for (const key of ["Env", "Entrypoint", "Cmd"]) {
    const list = config[key];
    const isTexts = list === undefined || (Array.isArray(list) && list.every((item) => typeof item === "string"));
    promise(isTexts, () => `${key} of an image is no list of texts`);
  }
}

async function readAttachments(): Promise<void> {
  const cache = new AttachmentCache(path.join(root, "cni"));
  for (const id of cache.list()) {
    try {
      await cache.write(await cache.read(id));
      await cache.read(id);
    } catch (error) {
      checkError(error, ["FailedPrecondition"]);
      await cache.setAside(id);
    }
  }
}

function filesOf(input: Buffer): Record<string, string | Buffer> {
  let records: Record<string, unknown> | undefined;
  try {
    records = JSON.parse(input.toString("utf8"));
  } catch {}
  const record = (name: string): string | Buffer => {
    if (typeof records !== "object" || records === null) return input;
    const value = records[name];
    return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  };
  return {
    [`state/sandboxes/${sandboxId}/sandbox.json`]: record("sandbox"),
    [`state/containers/${containerId}/container.json`]: record("container"),
    [`state/containers/${containerId}/config.json`]: record("spec"),
    [`state/exits/${containerId}`]: record("exit"),
    [`images/${hex}.json`]: record("image"),
    [`layers/${hex}/meta.json`]: record("layer"),
    [`layers/${hex}/diff/file`]: "",
    [`snapshots/${containerId}/layers.json`]: record("snapshot"),
    [`snapshots/.views/${hex}`]: record("view"),
    [`cni/${sandboxId}.json`]: record("attachment"),
  };
}

function seeds(): Buffer[] {
  const fixture = (name: string) => {
    const file = path.join("cri/store/version-1.fixture", name);
    return JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, unknown>;
  };
  const sandbox = { ...fixture("sandbox.json"), id: sandboxId };
  const container = { ...fixture("container.json"), id: containerId, sandboxId };
  const limits = codec("LinuxContainerResources").encode({ cpuPeriod: 100000n, cpuQuota: 1000n }).toString("base64");
  const process = { pid: 99999999, startTime: "1" };
  const exit = { finishedAtNs: "1790000000000000001", code: 137, reason: "Error", message: "m" };
  const layer = { blob: { mediaType: "m", digest, size: 3 }, diffId: digest, chainId: digest };
  const image = {
    version: 1,
    id: digest,
    manifest: digest,
    tags: ["docker.io/library/busybox:latest"],
    digests: [`docker.io/library/busybox@${digest}`],
    layers: [layer],
    config: { User: "1", Env: ["A=b"], Cmd: ["sh"], WorkingDir: "/", Labels: { a: "b" }, Volumes: { "/v": {} } },
    sizeBytes: 1,
    pulledAtNs: "1790000000000000000",
  };
  const network = { name: "n", cniVersion: "1.0.0", plugins: [{ type: "bridge" }] };
  const attachment = {
    version: 1,
    sandboxId,
    network,
    netnsPath: "/n",
    ifName: "eth0",
    args: "",
    capabilityArgs: {},
    result: {},
  };
  const all = {
    sandbox,
    container,
    spec: {},
    exit: "137",
    image,
    layer: { version: 1, diffId: digest, sizeBytes: 1, inodes: 1 },
    snapshot: { version: 1, chainIds: [digest] },
    view: { version: 1, chainIds: [digest], target: "/nowhere" },
    attachment,
  };
  const more = {
    ...all,
    sandbox: { ...sandbox, overhead: limits, resources: limits, holder: process },
    container: {
      ...container,
      process,
      monitor: process,
      startedAtNs: "1790000000000000000",
      exit,
      imageVolumes: { 0: "x" },
    },
    exit: "-1\n",
  };
  return [all, more].map((each) => Buffer.from(JSON.stringify(each)));
}
