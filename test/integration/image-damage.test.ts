import fs from "node:fs";
import path from "node:path";
import { beforeEach, expect, jest, test } from "@jest/globals";
import type { ContainerId, Digest } from "../../api/ids";
import type { ImageService } from "../../images/image-service";
import { makeImage, makeLayer } from "../support/images";
import { describeTree } from "./layers/describe-tree";
import { imageStorePlace } from "./layers/image-store-place";

/** Files of the store that are damaged or gone: found at the start or in use, and only they are fetched again. */
jest.setTimeout(60_000);

const place = imageStorePlace();
let name = "";

const image = makeImage({
  layers: [
    makeLayer([{ path: "etc/a", body: "a".repeat(5000) }]),
    makeLayer([{ path: "etc/b", body: "b".repeat(5000) }]),
  ],
});
const names = [".", "etc", "etc/a", "etc/b"];
const containerId = "d".repeat(64) as ContainerId;

beforeEach(() => {
  name = `${place.host}/team/app:v1`;
  place.registry.putMade("v1", image);
});

/** What is asked of the registry from now on, less the question what the tag stands for. */
function fetched(): () => string[] {
  const before = place.registry.requests.length;
  return () => {
    const requests = place.registry.requests.slice(before).filter(({ method }) => method === "GET");
    return requests.map(({ url }) => url.slice(url.lastIndexOf("/") + 1));
  };
}

const blobFile = (digest: string) => place.space.at("root/content/blobs/sha256", digest.slice(7));

/** Other bytes, as many. */
function rot(digest: string): void {
  const bytes = fs.readFileSync(blobFile(digest));
  bytes[bytes.length >> 1]! ^= 1;
  fs.writeFileSync(blobFile(digest), bytes);
}

const layerDirectory = (chainId: Digest) => place.space.at("root/layers", chainId.slice(7));

async function namesIn(service: ImageService): Promise<string[]> {
  const target = place.space.at("rootfs");
  fs.mkdirSync(target, { recursive: true });
  await service.mountRootfs({ containerId, image: service.status(name)!.id, target });
  const found = Object.keys(describeTree(target));
  await service.releaseRootfs(containerId, target);
  return found;
}

const layerBlob = image.layers[1]!.digest;

test.each<[string, string, (file: string) => void]>([
  ["a layer's blob is short", layerBlob, (file) => fs.truncateSync(file, 10)],
  ["a layer's blob is gone", layerBlob, (file) => fs.rmSync(file)],
  ["the configuration is gone", image.config.digest, (file) => fs.rmSync(file)],
  ["the manifest is gone", image.digest, (file) => fs.rmSync(file)],
])("an image is not listed after a start when %s, and a pull fetches that alone", async (_, digest, damage) => {
  await (await place.space.openImages()).pull(name);
  damage(blobFile(digest));
  const service = await place.space.openImages();
  expect(service.list()).toEqual([]);
  expect(place.space.reports.join()).toContain(digest);
  const asked = fetched();
  await service.pull(name);
  expect(asked()).toEqual([digest]);
  expect(await namesIn(service)).toEqual(names);
});

test("a layer whose tree is gone is no more after a start, and a pull unpacks it without fetching anything", async () => {
  const { layers } = await (await place.space.openImages()).pull(name);
  fs.rmSync(path.join(layerDirectory(layers[0]!.chainId), "diff"), { recursive: true });
  const service = await place.space.openImages();
  expect(service.list()).toEqual([]);
  const asked = fetched();
  await service.pull(name);
  expect(asked()).toEqual([]);
  expect(await namesIn(service)).toEqual(names);
});

test.each(["a container", "an image volume"])(
  "a layer whose tree goes while the daemon runs is unpacked anew for %s, without fetching anything",
  async (user) => {
    const service = await place.space.openImages();
    const { id, layers } = await service.pull(name);
    fs.rmSync(path.join(layerDirectory(layers[0]!.chainId), "diff"), { recursive: true });
    const asked = fetched();
    if (user === "a container") expect(await namesIn(service)).toEqual(names);
    else {
      const target = place.space.at("volume");
      fs.mkdirSync(target);
      await service.mountImageReadOnly({ image: id, target });
      expect(Object.keys(describeTree(target))).toEqual(names);
      service.unmountImage(target);
    }
    expect(asked()).toEqual([]);
  },
);

test("a tree that is made in the place of one that vanished is not whole before it is", async () => {
  const store = await place.space.openStore();
  const service = await place.space.openImages();
  const { layers } = await service.pull(name);
  const { chainId } = layers[0]!;
  const inStore = place.space.at("layers", chainId.slice(7));
  fs.cpSync(layerDirectory(chainId), inStore, { recursive: true });
  await store.layers.open();
  expect(store.layers.has(chainId)).toBe(true);
  fs.rmSync(path.join(inStore, "diff"), { recursive: true });
  expect(store.layers.has(chainId)).toBe(false);
  // a crash with the half of a new tree
  fs.mkdirSync(path.join(inStore, "diff"), { recursive: true });
  const restarted = await place.space.openStore();
  expect(restarted.layers.has(chainId)).toBe(false);
});

test("a blob with other bytes is found when its layer has to be unpacked anew, and fetched again alone", async () => {
  const service = await place.space.openImages();
  const { id, layers } = await service.pull(name);
  rot(layerBlob);
  fs.rmSync(path.join(layerDirectory(layers[1]!.chainId), "diff"), { recursive: true });
  const target = place.space.at("rootfs");
  fs.mkdirSync(target);
  // so that the kubelet pulls it, whatever its policy
  await expect(service.mountRootfs({ containerId, image: id, target })).rejects.toMatchObject({
    code: "NotFound",
    message: expect.stringContaining(layerBlob),
    hint: expect.stringContaining("pull the image again"),
  });
  expect(service.list()).toEqual([]);
  const asked = fetched();
  await service.pull(name);
  expect(asked()).toEqual([layerBlob]);
  expect(await namesIn(service)).toEqual(names);
});

test.each([
  ["configuration", image.config.digest],
  ["manifest", image.digest],
])("a %s with other bytes is found by the next pull, and fetched again alone", async (_, digest) => {
  const service = await place.space.openImages();
  const record = await service.pull(name);
  rot(digest);
  const asked = fetched();
  expect((await service.pull(name)).id).toBe(record.id);
  expect(asked()).toEqual([digest]);
  expect(place.space.reports).toEqual([]);
});

test("the error names the registry when what is damaged cannot be fetched again", async () => {
  await (await place.space.openImages()).pull(name);
  fs.truncateSync(blobFile(layerBlob), 10);
  const service = await place.space.openImages();
  place.registry.mischief = (request, response) =>
    request.url!.includes("/blobs/") && !!response.writeHead(503).end("busy");
  await expect(service.pull(name)).rejects.toMatchObject({
    code: "RegistryUnavailable",
    message: expect.stringMatching(new RegExp(`${name.split("/")[0]}.*${layerBlob}.*503.*busy`)),
  });
  expect(service.list()).toEqual([]);
});

test("a manifest that lies about the size of a blob that is there is refused, and harms no other image", async () => {
  const service = await place.space.openImages();
  await service.pull(name);
  const document = JSON.parse(image.bytes.toString("utf8"));
  document.layers[0].size += 1;
  place.registry.putManifest("lie", document, image.mediaType);
  await expect(service.pull(name.replace(":v1", ":lie"))).rejects.toMatchObject({
    code: "InvalidArgument",
    message: expect.stringContaining(document.layers[0].digest),
  });
  for (const each of [service, await place.space.openImages()]) {
    expect(each.list()).toHaveLength(1);
    expect(await namesIn(each)).toEqual(names);
  }
});

test("an export refuses a blob with other bytes", async () => {
  const service = await place.space.openImages();
  await service.pull(name);
  rot(layerBlob);
  await expect(service.exportImage(name, place.space.at("out.tar"))).rejects.toMatchObject({
    message: expect.stringContaining(layerBlob),
  });
  expect(fs.existsSync(place.space.at("out.tar"))).toBe(false);
});
