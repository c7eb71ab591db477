import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "../api/ids";
import { FakeRegistry } from "./fake-registry";
import { MemoryBlobStore } from "./memory-blob-store";
import { runnablePlatforms, thisMachine } from "./platform";
import { type PullModules, Puller } from "./pull";
import { parseReference } from "./reference";

const ociIndex = "application/vnd.oci.image.index.v1+json";
let registry: FakeRegistry;
let host: string;
let certsDir: string;

beforeEach(async () => {
  registry = new FakeRegistry();
  host = await registry.start();
  certsDir = mkdtempSync(join(tmpdir(), "berth-pull-"));
});
afterEach(async () => {
  await registry.stop();
  rmSync(certsDir, { recursive: true });
});

function puller(layerReady?: PullModules["layerReady"]) {
  const store = new MemoryBlobStore();
  const images = {
    certs_dirs: [certsDir],
    auth_files: [],
    registries: {},
    max_concurrent_downloads: 2,
    progress_timeout_s: 5,
  };
  const retry = { attempts: 2, firstPauseMs: 5, longestPauseMs: 50 };
  return { store, puller: new Puller({ images, retry }, { store, layerReady }) };
}

const reference = () => parseReference(`${host}/team/app:v1`);
const gets = (digest: Digest) => registry.requests.filter(({ url }) => url.includes(`/blobs/${digest}`)).length;

test("pull() puts every blob into the store when the image is a manifest", async () => {
  const { config, layers, manifest } = registry.putImage("v1", ["one", "two", "three"]);
  const ready: number[] = [];
  const { store, puller: pulling } = puller(({ index }) => ready.push(index));
  const events: { digest: Digest; state: string }[] = [];
  const pulled = await pulling.pull(reference(), { onProgress: (event) => events.push(event) });
  expect(pulled).toMatchObject({ configDigest: config.digest, topDigest: manifest.digest });
  expect(pulled.manifest).toMatchObject({ digest: manifest.digest, layers });
  expect(pulled.config.config.Cmd).toEqual(["/bin/sh"]);
  expect([...store.blobs.keys()].sort()).toEqual([config, manifest, ...layers].map(({ digest }) => digest).sort());
  expect(ready.sort()).toEqual([0, 1, 2]);
  const states = events.filter(({ digest }) => digest === layers[0]!.digest).map(({ state }) => state);
  expect(states).toEqual(["waiting", "downloading", "verifying", "done"]);
});

test("pull() takes this machine's manifest when there is an index, attestations beside it", async () => {
  const { architecture, variant, os } = runnablePlatforms(thisMachine())[0]!;
  const { manifest } = registry.putImage("mine", ["mine"]);
  const { manifest: foreign } = registry.putImage("foreign", ["foreign"]);
  const manifests = [
    { ...foreign, platform: { os: "linux", architecture: "s390x" } },
    { ...foreign, platform: { os: "unknown", architecture: "unknown" } },
    { ...manifest, platform: { os, architecture, variant } },
  ];
  const index = registry.putManifest("v1", { schemaVersion: 2, mediaType: ociIndex, manifests }, ociIndex);
  const { store, puller: pulling } = puller();
  const pulled = await pulling.pull(reference());
  expect(pulled).toMatchObject({ topDigest: index.digest, manifest: { digest: manifest.digest } });
  expect(store.blobs.has(index.digest)).toBe(true);
  expect(store.blobs.has(foreign.digest)).toBe(false);
});

test("pull() refuses when indexes lie in one another without end", async () => {
  let inner = registry.putImage("mine", ["mine"]).manifest;
  for (let depth = 0; depth < 5; depth++) {
    inner = registry.putManifest("v1", { schemaVersion: 2, mediaType: ociIndex, manifests: [inner] }, ociIndex);
  }
  await expect(puller().puller.pull(reference())).rejects.toMatchObject({ code: "InvalidArgument" });
});

test("pull() fetches nothing twice when blobs are there already or shared", async () => {
  const { layers, manifest } = registry.putImage("v1", ["same", "same", "other"]);
  const ready: number[] = [];
  const { puller: pulling } = puller(({ index }) => ready.push(index));
  await pulling.pull(reference());
  expect(gets(layers[0]!.digest)).toBe(1);
  await pulling.pull(reference());
  expect(ready.sort()).toEqual([0, 0, 1, 1, 2, 2]);
  expect(registry.requests.filter(({ method }) => method === "GET")).toHaveLength(4);
  await pulling.pull(parseReference(`${host}/team/app@${manifest.digest}`));
  expect(registry.requests.filter(({ method }) => method === "GET")).toHaveLength(4);
});

test("pull() runs once when several ask, and once each when their credentials differ", async () => {
  const { layers } = registry.putImage("v1", ["x"]);
  const { puller: pulling } = puller();
  const auth = { username: "u", password: "p" };
  const [one, two] = await Promise.all([
    pulling.pull(reference()),
    pulling.pull(reference(), { auth: { username: "", password: "" } }),
    pulling.pull(reference(), { auth }),
  ]);
  expect(one).toBe(two);
  expect(registry.requests.filter(({ method }) => method === "HEAD")).toHaveLength(2);
  expect(gets(layers[0]!.digest)).toBe(1);
});

test("pull() ends the download when the last caller gives up", async () => {
  const { layers } = registry.putImage("v1", ["x"]);
  let isClosed = false;
  let begun = () => {};
  const beginning = new Promise<void>((resolve) => {
    begun = resolve;
  });
  registry.mischief = (request, response) => {
    if (!request.url!.includes(layers[0]!.digest)) return false;
    response.on("close", () => {
      isClosed = true;
    });
    response.writeHead(200).write("x", begun);
    return true;
  };
  const { store, puller: pulling } = puller();
  const controller = new AbortController();
  const pull = pulling.pull(reference(), { signal: controller.signal });
  await beginning;
  controller.abort();
  await expect(pull).rejects.toMatchObject({ code: "Cancelled" });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(isClosed).toBe(true);
  expect(store.blobs.has(layers[0]!.digest)).toBe(false);
});

test("pull() stages no layer whose last bytes come as it is given up", async () => {
  const { layers } = registry.putImage("v1", ["last"]);
  const ready: number[] = [];
  const { store, puller: pulling } = puller(({ index }) => ready.push(index));
  const controller = new AbortController();
  const onProgress = ({ digest, state }: { digest: Digest; state: string }) => {
    if (digest === layers[0]!.digest && state === "verifying") controller.abort();
  };
  const pull = pulling.pull(reference(), { signal: controller.signal, onProgress });
  await expect(pull).rejects.toMatchObject({ code: "Cancelled" });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(store.blobs.has(layers[0]!.digest)).toBe(true);
  expect(ready).toEqual([]);
});

test("pull() ends the other layers at once when one fails, with that one's error", async () => {
  const { layers } = registry.putImage("v1", ["slow", "bad"]);
  registry.mischief = (request, response) => {
    if (request.url!.includes(layers[0]!.digest)) return !!response.writeHead(200).write("x");
    return request.url!.includes(layers[1]!.digest) && !!response.writeHead(404).end();
  };
  const since = performance.now();
  await expect(puller().puller.pull(reference())).rejects.toMatchObject({ code: "NotFound" });
  expect(performance.now() - since).toBeLessThan(2_000);
});

test("pull() begins again at the next host when a mirror's bytes are wrong", async () => {
  const mirror = new FakeRegistry();
  const mirrorHost = await mirror.start();
  try {
    const { layers } = registry.putImage("v1", ["right"]);
    mirror.putImage("v1", ["right"]);
    const wrong = Buffer.alloc(layers[0]!.size);
    mirror.mischief = (request, response) =>
      request.url!.includes(layers[0]!.digest) && !!response.writeHead(200).end(wrong);
    mkdirSync(join(certsDir, "r.example"));
    writeFileSync(join(certsDir, "r.example/hosts.toml"), `server = "http://${host}"\n[host."http://${mirrorHost}"]\n`);
    const { store, puller: pulling } = puller();
    await pulling.pull(parseReference("r.example/team/app:v1"));
    expect(store.blobs.has(layers[0]!.digest)).toBe(true);
    expect(gets(layers[0]!.digest)).toBe(1);
    registry.mischief = mirror.mischief;
    await expect(puller().puller.pull(parseReference("r.example/team/app:v1"))).rejects.toMatchObject({
      code: "InvalidArgument",
      message: expect.stringContaining("r.example/team/app:v1"),
    });
  } finally {
    await mirror.stop();
  }
});

test("pull() throws NotFound when the registry has no such image", async () => {
  await expect(puller().puller.pull(reference())).rejects.toMatchObject({
    code: "NotFound",
    message: expect.stringContaining(`${host}/team/app:v1: not found`),
  });
});
