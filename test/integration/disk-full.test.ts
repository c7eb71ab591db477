import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeAll, afterAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { Client } from "../../cri/client/client";
import { type TestDaemon, testDaemon } from "../support/daemon";
import { busyboxImage, makeImage, makeLayer } from "../support/images";
import { LoopDisk } from "../support/loop-disk";
import { eventually, podCalls } from "../support/pods";
import { type TestRegistry, testRegistry } from "../support/registry";
import { temporaryDirectory } from "../support/unique";

/** Disks that are full, without inodes, read-only or broken, each under one of the daemon's directories. */
jest.setTimeout(90_000);

let registry: TestRegistry;
let image = "";
let large = "";
let second = "";
let directory = "";

beforeAll(async () => {
  directory = temporaryDirectory();
  registry = await testRegistry();
  image = await registry.push("t/busybox", busyboxImage());
  const many = Array.from({ length: 300 }, (_, n) => ({ path: `many/${n}`, body: `${n}` }));
  second = await registry.push("t/second", makeImage({ layers: [makeLayer(many)] }));
  large = await registry.push(
    "t/large",
    makeImage({ layers: [makeLayer([{ path: "l", body: randomBytes(40 << 20) }])] }),
  );
}, 60_000);

afterAll(async () => {
  await registry?.stop();
  if (directory) fs.rmSync(directory, { recursive: true, force: true });
});

let daemon: TestDaemon;
let client: Client;
let logs = "";
const undo: (() => void)[] = [];

beforeEach(() => {
  daemon = testDaemon({ registry: registry.url });
  client = new Client(daemon.socket);
  logs = path.join(daemon.directory, "logs");
});

afterEach(async () => {
  client.close();
  await daemon.stop();
  // what runs ends before what it lies on goes
  await daemon.remove().catch(() => {});
  for (const step of undo.splice(0).reverse()) step();
  await daemon.remove();
});

const { podConfig, runPod, createContainer, runContainer, statusOf, inside, exited } = podCalls(() => ({
  client,
  daemon,
  image,
}));

const pull = (name: string) => client.image("PullImage", { image: { image: name } });
const imagesListed = async () => (await client.image("ListImages", {})).images.flatMap(({ repoTags }) => repoTags);

/** A file system of its own at a directory of the daemon. */
function tmpfsAt(point: string, options: string): void {
  fs.mkdirSync(point, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", point]);
  undo.push(() => new LoopDisk("", point).unmount());
}

function diskAt(point: string, sizeMb: number, format: string[] = []): LoopDisk {
  const disk = LoopDisk.make(path.join(directory, "disk"), point, { sizeMb, format }).mount();
  undo.push(() => disk.remove());
  return disk;
}

/** Takes all that is left; gives the way back. */
function fill(point: string): () => void {
  const file = path.join(point, "filler");
  const fd = fs.openSync(file, "w");
  try {
    for (let size = 1 << 20; size >= 1; ) {
      try {
        if (fs.writeSync(fd, Buffer.alloc(size)) < size) size >>= 1;
      } catch {
        size >>= 1;
      }
    }
  } finally {
    fs.closeSync(fd);
  }
  return () => fs.rmSync(file, { force: true });
}

const usedBytes = (point: string) => {
  const { blocks, bfree, bsize } = fs.statfsSync(point);
  return (blocks - bfree) * bsize;
};

/** What an error of a full disk must say. */
const fullAt = (point: string) => ({
  code: "ResourceExhausted",
  message: expect.stringContaining(point),
});

async function podWorks(): Promise<void> {
  const pod = await runPod();
  const container = await runContainer(pod);
  expect((await inside(container, "echo alive")).trim()).toBe("alive");
  await client.runtime("RemovePodSandbox", { podSandboxId: pod });
}

describe("the data directory", () => {
  test("a full disk fails a pull with its path, and the space comes back", async () => {
    diskAt(daemon.root, 48);
    await daemon.start();
    await pull(image);
    const before = usedBytes(daemon.root);
    for (let i = 0; i < 2; i++) await expect(pull(large)).rejects.toMatchObject(fullAt(daemon.root));
    expect(await imagesListed()).toEqual([image]);
    await client.berth("CollectGarbage", { images: false, minAgeS: 0n });
    expect(
      await eventually(
        () => usedBytes(daemon.root),
        (bytes) => bytes <= before + (1 << 20),
      ),
    ).toBeLessThanOrEqual(before + (1 << 20));
    await pull(second);
    await podWorks();
  });

  test("a container that has filled it runs on, can be stopped and removed, and its space comes back", async () => {
    diskAt(daemon.root, 48);
    await daemon.start();
    await pull(image);
    const pod = await runPod();
    const container = await runContainer(pod);
    // the large writes of cat(1) leave some room
    await inside(container, "cat /dev/zero > /filler; dd if=/dev/zero of=/rest bs=512 2>/dev/null; true");
    await expect(pull(large)).rejects.toMatchObject(fullAt(daemon.root));
    await expect(createContainer(pod)).rejects.toMatchObject(fullAt(daemon.root));
    expect((await inside(container, "echo alive")).trim()).toBe("alive");
    await client.runtime("StopContainer", { containerId: container, timeout: 0n });
    await client.runtime("RemoveContainer", { containerId: container });
    await createContainer(pod);
    await pull(second);
  });

  test("without inodes it is the same", async () => {
    diskAt(daemon.root, 48, ["-N", "256"]);
    await daemon.start();
    await pull(image);
    await expect(pull(second)).rejects.toMatchObject(fullAt(daemon.root));
    expect(await imagesListed()).toEqual([image]);
    await podWorks();
  });

  test("read-only it is the same, and nothing that is listed is lost", async () => {
    const disk = LoopDisk.make(path.join(directory, "disk"), daemon.root, {
      sizeMb: 48,
      mountOptions: "errors=remount-ro",
    }).mount();
    undo.push(() => disk.remove());
    await daemon.start();
    await pull(image);
    const pod = await runPod();
    disk.fail();
    await expect(pull(second)).rejects.toMatchObject(fullAt(daemon.root));
    await expect(createContainer(pod)).rejects.toMatchObject(fullAt(daemon.root));
    await expect(client.image("RemoveImage", { image: { image } })).rejects.toMatchObject(fullAt(daemon.root));
    expect(await imagesListed()).toEqual([image]);
    await client.runtime("RemovePodSandbox", { podSandboxId: pod });
    await daemon.stop();
    disk.unmount();
    disk.check().mount();
    await daemon.start();
    expect(await imagesListed()).toEqual([image]);
    await podWorks();
    await pull(second);
  });

  test("a disk that gives EIO fails the pull with its path, and the daemon goes on", async () => {
    // a thin disk: the device ends before what the file system thinks that it has
    const host = path.join(directory, "thin");
    tmpfsAt(host, "size=16m");
    const disk = LoopDisk.make(path.join(host, "disk"), daemon.root, {
      sizeMb: 64,
      mountOptions: "errors=continue",
    }).mount();
    undo.push(() => disk.remove());
    await daemon.start();
    await expect(pull(large)).rejects.toMatchObject(fullAt(daemon.root));
    expect(await imagesListed()).toEqual([]);
    expect((await client.runtime("Version", {})).runtimeName).toBe("berth");
  });

  test("with it full and the daemon killed, containers run on, and stop and remove work", async () => {
    diskAt(daemon.root, 48);
    await daemon.start();
    await pull(image);
    const pod = await runPod();
    const [stopped, ended] = [await runContainer(pod), await runContainer(pod)];
    fill(daemon.root);
    await daemon.kill();
    // as after a reboot: the mark is to be written anew, and there is no room
    const mark = path.join(daemon.root, "format.json");
    const fd = fs.openSync(mark, "r+");
    const { boot } = JSON.parse(fs.readFileSync(mark, "utf8"));
    fs.writeSync(fd, "0".repeat(8), fs.readFileSync(mark, "utf8").indexOf(boot));
    fs.closeSync(fd);
    await daemon.start();
    for (const id of [stopped, ended]) expect((await statusOf(id)).state).toBe(1);
    await client.runtime("StopContainer", { containerId: stopped, timeout: 1n }, { timeoutMs: 30_000 });
    expect((await exited(stopped)).exitCode).toBeDefined();
    for (const containerId of [stopped, ended]) {
      await client.runtime("RemoveContainer", { containerId }, { timeoutMs: 30_000 });
    }
    await client.runtime("StopPodSandbox", { podSandboxId: pod }, { timeoutMs: 30_000 });
    await client.runtime("RemovePodSandbox", { podSandboxId: pod }, { timeoutMs: 30_000 });
    expect((await client.runtime("ListPodSandbox", {})).items).toEqual([]);
    expect(daemon.allocatedAddresses()).toEqual([]);
  });
});

describe("the state directory", () => {
  test("a full one fails a pod and a container with its path and leaves nothing of them", async () => {
    tmpfsAt(daemon.state, "size=2m");
    await daemon.start();
    await pull(image);
    const pod = await runPod();
    const running = await runContainer(pod);
    const objects = () => [
      ...fs.readdirSync(path.join(daemon.state, "sandboxes")),
      ...fs.readdirSync(path.join(daemon.state, "containers")),
    ];
    const before = [objects(), daemon.allocatedAddresses()];
    const makeRoom = fill(daemon.state);
    const config = podConfig();
    await expect(client.runtime("RunPodSandbox", { config })).rejects.toMatchObject(fullAt(daemon.state));
    await expect(createContainer(pod)).rejects.toMatchObject(fullAt(daemon.state));
    expect([objects(), daemon.allocatedAddresses()]).toEqual(before);
    expect((await client.runtime("ListContainers", {})).containers).toHaveLength(1);
    makeRoom();
    await client.runtime("RunPodSandbox", { config });
    await createContainer(pod);
    expect((await inside(running, "echo alive")).trim()).toBe("alive");
  });

  test("with it full and the daemon killed, containers run on, and stop and remove work", async () => {
    tmpfsAt(daemon.state, "size=2m");
    await daemon.start();
    await pull(image);
    const pod = await runPod();
    const [running, stopped] = [await runContainer(pod), await runContainer(pod)];
    fill(daemon.state);
    await daemon.kill();
    await daemon.start();
    for (const id of [running, stopped]) expect((await statusOf(id)).state).toBe(1);
    await client.runtime("StopContainer", { containerId: stopped, timeout: 1n }, { timeoutMs: 30_000 });
    expect((await exited(stopped)).exitCode).toBeDefined();
    await client.runtime("RemoveContainer", { containerId: stopped }, { timeoutMs: 30_000 });
    await client.runtime("StopPodSandbox", { podSandboxId: pod }, { timeoutMs: 30_000 });
    await client.runtime("RemovePodSandbox", { podSandboxId: pod }, { timeoutMs: 30_000 });
    expect((await client.runtime("ListPodSandbox", {})).items).toEqual([]);
    expect(daemon.allocatedAddresses()).toEqual([]);
  });
});

describe("the log directory", () => {
  test("a full one fails what needs a file there with its path, and holds up no container", async () => {
    diskAt(logs, 2);
    await daemon.start();
    await pull(image);
    const pod = await runPod();
    const loud = await runContainer(pod, { command: ["sh", "-c", "while :; do echo line; done"] });
    const log = path.join(logs, fs.readdirSync(logs).find((name) => name.startsWith("pod-"))!);
    const files = () => fs.readdirSync(log).map((name) => fs.statSync(path.join(log, name)).size);
    expect(await eventually(files, ([size = 0]) => size > 0)).not.toEqual([0]);
    const makeRoom = fill(logs);
    expect((await inside(loud, "echo alive")).trim()).toBe("alive");
    await expect(runPod()).rejects.toMatchObject(fullAt(logs));
    await client.runtime("StopContainer", { containerId: loud, timeout: 0n });
    expect((await exited(loud)).exitCode).toBe(137);
    await client.runtime("RemovePodSandbox", { podSandboxId: pod });
    makeRoom();
    fs.rmSync(log, { recursive: true });
    await podWorks();
  });
});
