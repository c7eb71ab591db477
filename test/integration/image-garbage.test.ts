import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, jest, test } from "@jest/globals";
import type { ContainerId } from "../../api/ids";
import { type Image, makeImage, makeIndex, makeLayer } from "../support/images";
import { imageStorePlace } from "./layers/image-store-place";

/** Blobs and layers that nothing uses go with the next removal of an image, however they came to be there. */
jest.setTimeout(120_000);

const place = imageStorePlace();

/** Puts an image into the registry under a name of its own; gives what it is pulled by. */
function push(image: Image, name: string): string {
  place.registry.putMade(name, image);
  return `${place.host}/team/app:${name}`;
}

const layersOf = (count: number, bytes = 5000) =>
  Array.from({ length: count }, (_, index) => makeLayer([{ path: `etc/${index}`, body: randomBytes(bytes) }]));

const hex = (digests: readonly string[]) => digests.map((digest) => digest.slice("sha256:".length)).sort();

/** Hexadecimal, sorted. What was removed is put aside first, under other names. */
const blobs = () => fs.readdirSync(place.space.at("root/content/blobs/sha256")).sort();
const layers = () =>
  fs
    .readdirSync(place.space.at("root/layers"))
    .filter((name) => /^[0-9a-f]{64}$/.test(name))
    .sort();

test("what a failed pull has left stays for the next, and goes with any image that is removed", async () => {
  const service = await place.space.openImages();
  const other = push(makeImage({ layers: layersOf(1) }), "other");
  const image = makeImage({ layers: layersOf(3) });
  const reference = push(image, "whole");
  const last = image.layers[2]!.digest;
  place.registry.mischief = ({ url = "" }, response) => {
    if (!url.includes(last)) return false;
    // when the others have come
    setTimeout(() => response.writeHead(404).end(), 300);
    return true;
  };
  const failing = service.pull(reference);
  await service.pull(other);
  await expect(failing).rejects.toMatchObject({ code: "NotFound" });
  const left = hex([image.digest, image.config.digest, ...image.layers.slice(0, 2).map(({ digest }) => digest)]);
  expect(blobs()).toEqual(expect.arrayContaining(left));
  expect(await service.remove(other)).toEqual({ blobs: 3 + left.length, layers: 1 });
  expect([blobs(), layers()]).toEqual([[], []]);
});

test("what was left by an earlier run goes with the first image that is removed", async () => {
  const before = await place.space.openImages();
  const first = push(makeImage({ layers: layersOf(2) }), "first");
  const { id } = await before.pull(first);
  fs.rmSync(place.space.at("root/images", `${id.slice("sha256:".length)}.json`));
  const service = await place.space.openImages();
  expect(service.list()).toEqual([]);
  const second = push(makeImage({ layers: layersOf(1) }), "second");
  await service.pull(second);
  expect(await service.remove(second)).toEqual({ blobs: 4 + 3, layers: 2 + 1 });
  expect([blobs(), layers()]).toEqual([[], []]);
});

test("the index that an image was pulled by stays with it, is not asked for again, and goes with it", async () => {
  const service = await place.space.openImages();
  const image = makeImage({ layers: layersOf(1) });
  const index = makeIndex([image]);
  const reference = push(image, "by-index");
  place.registry.putManifest("by-index", index.bytes, index.mediaType);
  const other = push(makeImage({ layers: layersOf(1) }), "other");
  await service.pull(reference);
  await service.pull(other);
  await service.remove(other);
  expect(blobs()).toEqual(hex([index.digest, image.digest, image.config.digest, image.layers[0]!.digest]));
  const asked = place.registry.requests.length;
  await service.pull(reference);
  expect(place.registry.requests.slice(asked).map(({ method }) => method)).toEqual(["HEAD"]);
  await service.remove(reference);
  expect([blobs(), layers()]).toEqual([[], []]);
});

test("layers that two images share go with the second, and those under a container with the container", async () => {
  const service = await place.space.openImages();
  const [shared, own, above] = layersOf(3);
  const one = push(makeImage({ layers: [shared!, own!] }), "one");
  const two = push(makeImage({ layers: [shared!, above!] }), "two");
  const first = await service.pull(one);
  const second = await service.pull(two);
  expect(await service.remove(one)).toEqual({ blobs: 3, layers: 1 });
  expect(layers()).toEqual(hex(second.layers.map(({ chainId }) => chainId)));
  const containerId = "c".repeat(64) as ContainerId;
  const target = place.space.at("rootfs");
  fs.mkdirSync(target);
  await service.mountRootfs({ containerId, image: second.id, target });
  expect(await service.remove(two)).toEqual({ blobs: 4, layers: 0 });
  expect(layers()).toEqual(hex(second.layers.map(({ chainId }) => chainId)));
  await service.releaseRootfs(containerId, target);
  expect([blobs(), layers()]).toEqual([[], []]);
  expect(first.layers[0]!.chainId).toBe(second.layers[0]!.chainId);
});

test("a blob that comes to be there when its pull was given up goes too", async () => {
  const service = await place.space.openImages();
  const image = makeImage({ layers: layersOf(1) });
  const reference = push(image, "given-up");
  const { digest } = image.layers[0]!;
  const abort = new AbortController();
  const pulling = service.pull(reference, {
    signal: abort.signal,
    // all of it has come, and is yet to be written to the disk and renamed
    onProgress: (progress) => {
      if (progress.digest === digest && progress.state === "verifying") abort.abort();
    },
  });
  await expect(pulling).rejects.toMatchObject({ code: "Cancelled" });
  // of this blob nothing is there yet
  await service.collect();
  expect(blobs()).toEqual([]);
  for (let i = 0; i < 200 && !blobs().includes(hex([digest])[0]!); i++) await sleep(10);
  await sleep(100);
  const other = push(makeImage({ layers: layersOf(1) }), "other");
  await service.pull(other);
  expect(await service.remove(other)).toEqual({ blobs: 3 + 1, layers: 1 });
  expect([blobs(), layers()]).toEqual([[], []]);
});

test("pulls that are given up at any moment, beside removals, leave nothing that the next removal does not take", async () => {
  const service = await place.space.openImages();
  const base = layersOf(1, 1_000_000)[0]!;
  const references = Array.from({ length: 2 }, (_, n) =>
    push(makeImage({ layers: [base, ...layersOf(4, 100_000)] }), `n${n}`),
  );
  const counts = { givenUp: 0, whole: 0 };
  const one = async (reference: string) => {
    for (let round = 0; round < 40; round++) {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), Math.random() * 150);
      try {
        await service.pull(reference, { signal: abort.signal });
        counts.whole++;
        await service.remove(reference);
      } catch (error) {
        expect(error).toMatchObject({ code: "Cancelled" });
        counts.givenUp++;
      }
      await sleep(Math.random() * 100);
    }
  };
  await Promise.all(references.map(one));
  // what was given up comes to its end
  await sleep(1000);
  await service.pull(references[0]!);
  await service.remove(references[0]!);
  expect([blobs(), layers()]).toEqual([[], []]);
  expect(place.space.reports).toEqual([]);
  // of both, or nothing was seen
  expect(Math.min(counts.givenUp, counts.whole)).toBeGreaterThan(0);
});
