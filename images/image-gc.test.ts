import type { ChainId, Digest } from "../api/ids";
import { collectGarbage, type ImageGcModules } from "./image-gc";
import { Leases } from "./leases";

const digest = (character: string) => `sha256:${character.repeat(64)}` as Digest;
const chainId = (character: string) => digest(character) as ChainId;

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
  const candidates = { blobs: ["a", "b", "c", "d"].map(digest), layers: [chainId("e")] };
  const { parts, left, lists } = modules({ blobs: "abf", layers: "ef" }, { byImages: "b" });
  expect(await collectGarbage(parts, candidates)).toEqual({ blobs: 1, layers: 1 });
  expect([...left.blobs]).toEqual([digest("b"), digest("f")]);
  expect([...left.layers]).toEqual([chainId("f")]);
  expect(lists()).toBe(0);
});
