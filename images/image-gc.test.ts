import type { ChainId, Digest, ImageId } from "../api/ids";
import { collectGarbage, type ImageGcModules, partsOf } from "./image-gc";
import { Leases } from "./leases";
import type { ImageRecord } from "./types";

const digest = (character: string) => `sha256:${character.repeat(64)}` as Digest;
const chainId = (character: string) => digest(character) as ChainId;

const record: ImageRecord = {
  id: digest("a") as ImageId,
  manifest: digest("b"),
  tags: ["localhost:5000/some/image:1"],
  digests: [`localhost:5000/some/image@${digest("b")}`, `localhost:5000/some/image@${digest("c")}`],
  layers: [{ blob: { mediaType: "", digest: digest("d"), size: 1 }, diffId: digest("e"), chainId: chainId("e") }],
  config: {},
  sizeBytes: 1,
  pulledAtNs: "1",
};

/** All blobs and layers that there are, and those of them that have a user of each kind. */
function modules(there: { blobs: string; layers: string }, used: { byImages?: string; byContainers?: string } = {}) {
  const left = { blobs: new Set([...there.blobs].map(digest)), layers: new Set([...there.layers].map(chainId)) };
  const isAmong = (characters: string | undefined, one: Digest | ChainId) =>
    [...(characters ?? "")].some((character) => digest(character) === one);
  const leases = new Leases();
  let lists = 0;
  const listed = <T>(values: Set<T>) => {
    lists++;
    return [...values];
  };
  const parts: ImageGcModules = {
    images: { usesBlob: (one) => isAmong(used.byImages, one), usesLayer: (one) => isAmong(used.byImages, one) },
    blobs: { list: () => listed(left.blobs), delete: (one) => left.blobs.delete(one) },
    layers: { list: () => listed(left.layers), remove: async (one) => left.layers.delete(one) },
    snapshots: { uses: (one) => isAmong(used.byContainers, one) },
    leases,
  };
  return { parts, left, leases, lists: () => lists };
}

test("all parts of an image are candidates, the index that it was pulled by too", () => {
  expect(partsOf(record)).toEqual({ blobs: ["a", "b", "c", "d"].map(digest), layers: [chainId("e")] });
});

test("a name without a digest, as a damaged record may have one, is no candidate", () => {
  expect(partsOf({ ...record, digests: ["x", "y@z"] }).blobs).toEqual(["a", "b", "d"].map(digest));
});

test("what images, containers and operations use stays, and only what was there is counted", async () => {
  const { parts, left, leases } = modules({ blobs: "abcdf", layers: "ef9" }, { byImages: "c", byContainers: "9" });
  const endLease = leases.begin();
  leases.touch(digest("d"));
  expect(await collectGarbage(parts)).toEqual({ blobs: 3, layers: 2 });
  expect([...left.blobs]).toEqual([digest("c"), digest("d")]);
  expect([...left.layers]).toEqual([chainId("9")]);
  endLease();
  expect(await collectGarbage(parts)).toEqual({ blobs: 1, layers: 0 });
});

test("with candidates nothing else is looked at", async () => {
  const { parts, left, lists } = modules({ blobs: "abf", layers: "ef" }, { byImages: "b" });
  expect(await collectGarbage(parts, partsOf(record))).toEqual({ blobs: 1, layers: 1 });
  expect([...left.blobs]).toEqual([digest("b"), digest("f")]);
  expect([...left.layers]).toEqual([chainId("f")]);
  expect(lists()).toBe(0);
});
