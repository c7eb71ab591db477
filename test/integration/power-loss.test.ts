import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import type { Config } from "../../api/config/schema";
import { Client } from "../../cri/client/client";
import { ImageService } from "../../images/image-service";
import { HostMounts } from "../../sys/mounts";
import { type TestDaemon, testDaemon } from "../support/daemon";
import { makeImage, makeLayer, type TarEntry } from "../support/images";
import { LoopDisk } from "../support/loop-disk";
import { eventually } from "../support/pods";
import { type TestRegistry, testRegistry } from "../support/registry";
import { temporaryDirectory } from "../support/unique";
import { describeTree } from "./layers/describe-tree";
import { buildWorkerScript } from "./layers/worker-script";

/**
 * The power goes in the middle of a pull. The daemon's root is an ext4 in a file; with the daemon stopped, what the
 * block device has is copied, so that nothing is in the copy that was never written back. The copy is mounted, which
 * replays its journal, and everything that is listed there must be whole.
 *
 * A disk that lies about what it has flushed is not played here: the loop device has no cache of its own.
 */
const isFull = process.env["BERTH_FULL"] === "1";
const moments = isFull ? 200 : 10;

jest.setTimeout(isFull ? 1_800_000 : 120_000);

const whiteout = "a/d1/1";

let registry: TestRegistry;
let workerScript = "";
let directory = "";
let kept = "";
let pulled = "";
/** What each layer's tree must be, by its chain ID: from a pull that nothing disturbed. */
const trees = new Map<string, Record<string, string>>();

const files = (name: string, count: number): TarEntry[] =>
  Array.from({ length: count }, (_, n) => ({
    path: `${name}/d${n % 7}/${n}`,
    body: noise(`${name}${n}`, 300 + n * 331),
  }));

/** Bytes that do not compress, the same each time. */
function noise(seed: string, sizeBytes: number): Buffer {
  const blocks = [];
  for (let n = 0; n * 32 < sizeBytes; n++) blocks.push(createHash("sha256").update(`${seed} ${n}`).digest());
  return Buffer.concat(blocks).subarray(0, sizeBytes);
}

beforeAll(async () => {
  workerScript = buildWorkerScript();
  directory = temporaryDirectory();
  registry = await testRegistry();
  const base = makeLayer(files("base", 30));
  kept = await registry.push("t/kept", makeImage({ layers: [base] }));
  const layers = [
    makeLayer(files("a", 90)),
    makeLayer(files("b", 40), "zstd"),
    // upon its parents: unpacked through a mount of them
    makeLayer([
      { path: "link", type: "hardlink", target: "a/d0/0" },
      { path: "a/d1/.wh.1", body: "" },
      ...files("c", 20),
    ]),
    makeLayer(files("d", 60), "none"),
  ];
  pulled = await registry.push("t/pulled", makeImage({ layers: [base, ...layers] }));
  const reference = await openService(path.join(directory, "reference"));
  for (const image of [kept, pulled]) {
    const { layers: stack } = await reference.pull(image);
    for (const { chainId } of stack) trees.set(chainId, treeOf(path.join(directory, "reference"), chainId));
  }
}, 60_000);

afterAll(async () => {
  await registry?.stop();
  if (workerScript) fs.rmSync(workerScript, { force: true });
  if (directory) fs.rmSync(directory, { recursive: true, force: true });
});

let daemon: TestDaemon;
let client: Client;
let disk: LoopDisk;
let copy: LoopDisk | undefined;

beforeEach(() => {
  daemon = testDaemon({ registry: registry.url });
  client = new Client(daemon.socket);
});

afterEach(async () => {
  client.close();
  daemon.child?.kill("SIGCONT");
  await daemon.kill();
  copy?.remove();
  disk?.remove();
  await daemon.remove();
});

async function openService(root: string): Promise<ImageService> {
  const images: Config["images"] = {
    certs_dirs: [noCertsDir()],
    auth_files: [],
    max_concurrent_downloads: 3,
    progress_timeout_s: 10,
    pinned: [],
    registries: {},
  };
  const service = new ImageService({ root, workerScript, images }, { mounts: new HostMounts(), warn: () => {} });
  await service.open();
  return service;
}

/** No registry is configured: the images' names have its address. */
const noCertsDir = () => path.join(directory, "no-certs.d");

/** The root of a layer and a whiteout have the time at which they were made. */
const treeOf = (root: string, chainId: string) =>
  describeTree(path.join(root, "layers", chainId.slice(7), "diff"), [".", whiteout]);

/** What of the images that are listed is not as it must be. */
function wrongIn(root: string, service: ImageService): string[] {
  const wrong: string[] = [];
  for (const { id, manifest, layers } of service.list()) {
    for (const digest of [id, manifest, ...layers.map(({ blob }) => blob.digest)]) {
      const file = path.join(root, "content/blobs/sha256", digest.slice(7));
      const hash = fs.existsSync(file) ? createHash("sha256").update(fs.readFileSync(file)).digest("hex") : "missing";
      if (`sha256:${hash}` !== digest) wrong.push(`blob ${digest}: ${hash}`);
    }
    for (const { chainId } of layers) {
      const [found, expected] = [treeOf(root, chainId), trees.get(chainId)!];
      for (const name of new Set([...Object.keys(found), ...Object.keys(expected)])) {
        if (found[name] !== expected[name])
          wrong.push(`layer ${chainId}: ${name}: ${found[name]}, not ${expected[name]}`);
      }
    }
  }
  return wrong;
}

type Certainty = "listed" | "absent" | "either";

/** Stops the daemon, takes the power from a copy of its disk and looks what is there. */
async function losePower(mustBe: Certainty): Promise<{ isListed: boolean }> {
  const child = daemon.child!;
  child.kill("SIGSTOP");
  try {
    copy = disk.copyTo(path.join(directory, "copy"), path.join(directory, "copy-mounted"));
  } finally {
    child.kill("SIGCONT");
  }
  copy.mount();
  const root = copy.mountPoint;
  const service = await openService(root);
  expect(wrongIn(root, service)).toEqual([]);
  expect(service.status(kept)).toBeDefined();
  const isListed = service.status(pulled) !== undefined;
  if (mustBe !== "either") expect(isListed).toBe(mustBe === "listed");
  await service.pull(pulled);
  expect(service.status(pulled)).toBeDefined();
  expect(wrongIn(root, service)).toEqual([]);
  await service.remove(kept);
  await service.remove(pulled);
  copy.remove();
  copy = undefined;
  return { isListed };
}

describe("power loss in a pull", () => {
  test.each([
    ["ext4's default mode", "noauto_da_alloc"],
    // names reach the disk without the data of what they name
    ["ext4 with data=writeback", "data=writeback,noauto_da_alloc"],
  ])("no image that is listed lacks anything, and the pull can be repeated: %s", async (_, mountOptions) => {
    disk = LoopDisk.make(path.join(directory, "disk"), daemon.root, { sizeMb: 96, mountOptions }).mount();
    await daemon.start();
    await client.image("PullImage", { image: { image: kept } });
    const seen = { moments: 0, listed: 0 };
    for (let round = 0; seen.moments < moments; round++) {
      // from the second moment of a call on its outcome is open until it has returned
      const calls: [Promise<unknown>, Certainty][] = [];
      for (const [method, after] of [
        ["PullImage", "listed"],
        ["RemoveImage", "absent"],
      ] as const) {
        let isOver = false;
        const call = client.image(method, { image: { image: pulled } }).then(() => {
          isOver = true;
        });
        calls.push([call, after]);
        while (!isOver && seen.moments < moments) {
          const { isListed } = await losePower("either");
          seen.moments++;
          if (isListed) seen.listed++;
          // so that over the rounds the moments lie everywhere
          await sleep(((round * 7) % 13) + 3);
        }
        await call;
        const { isListed } = await losePower(after);
        seen.moments++;
        if (isListed) seen.listed++;
      }
    }
    expect(seen.listed).toBeGreaterThan(0);
    expect(seen.listed).toBeLessThan(seen.moments);
    if (isFull) process.stdout.write(`power loss, ${mountOptions}: ${JSON.stringify(seen)}\n`);
  });
  test("the daemon starts upon what is left, and pulls what is lacking", async () => {
    disk = LoopDisk.make(path.join(directory, "disk"), daemon.root, { sizeMb: 96 }).mount();
    await daemon.start();
    await client.image("PullImage", { image: { image: kept } });
    const lost = client.image("PullImage", { image: { image: pulled } }).catch(() => {});
    const incoming = path.join(daemon.root, "content/ingest");
    await eventually(
      () => fs.readdirSync(incoming).length,
      (count) => count > 0,
    );
    daemon.child!.kill("SIGSTOP");
    copy = disk.copyTo(path.join(directory, "copy"), daemon.root);
    await daemon.kill();
    await lost;
    disk.unmount();
    copy.mount();
    await daemon.start();
    const tags = async () => (await client.image("ListImages", {})).images.flatMap(({ repoTags }) => repoTags);
    expect(await tags()).toEqual([kept]);
    await client.image("PullImage", { image: { image: pulled } });
    expect((await tags()).sort()).toEqual([kept, pulled].sort());
    await daemon.kill();
    expect(wrongIn(daemon.root, await openService(daemon.root))).toEqual([]);
  });
});
