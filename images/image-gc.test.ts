import { BerthError } from "../api/errors";
import type { ChainId, Digest } from "../api/ids";
import { type CollectedGarbage, ImageGc } from "./image-gc";
import { Leases } from "./leases";

const digest = (character: string) => `sha256:${character.repeat(64)}` as Digest;
const chainId = (character: string) => digest(character) as ChainId;

/** All blobs and layers that there are, and those of them that have a user of each kind; a character is one of each. */
function setUp(there: { blobs: string; layers: string }, used: { byImages?: string; byContainers?: string } = {}) {
  const left = { blobs: new Set([...there.blobs].map(digest)), layers: new Set([...there.layers].map(chainId)) };
  const users = { images: new Set<Digest>(), containers: new Set<Digest>() };
  for (const character of used.byImages ?? "") users.images.add(digest(character));
  for (const character of used.byContainers ?? "") users.containers.add(digest(character));
  const leases = new Leases();
  const asked: Digest[] = [];
  const told: CollectedGarbage[] = [];
  const usedByImages = (one: Digest) => {
    asked.push(one);
    return users.images.has(one);
  };
  let isDiskBroken = false;
  const gc = new ImageGc({
    images: { usesBlob: usedByImages, usesLayer: usedByImages },
    blobs: {
      list: () => [...left.blobs],
      delete: (one) => {
        if (isDiskBroken) throw new BerthError("ResourceExhausted", "the disk lets nothing be removed");
        return left.blobs.delete(one);
      },
    },
    layers: { list: () => [...left.layers], remove: async (one) => left.layers.delete(one) },
    snapshots: { uses: (one) => users.containers.has(one) },
    leases,
    collected: (removed) => told.push(removed),
  });
  const breakDisk = (broken: boolean) => {
    isDiskBroken = broken;
  };
  return { gc, left, users, leases, asked, told, breakDisk };
}

test("what images, containers and operations use stays, and only what was there is counted", async () => {
  const { gc, left, leases, told } = setUp({ blobs: "abcdf", layers: "ef9" }, { byImages: "c", byContainers: "9" });
  const endLease = leases.begin();
  leases.touchBlob(digest("d"));
  leases.touchLayer(chainId("f"));
  gc.suspect({ blobs: [digest("0")] });
  gc.suspectAll();
  expect(await gc.collect()).toEqual({ blobs: 3, layers: 1 });
  expect([...left.blobs]).toEqual([digest("c"), digest("d")]);
  expect([...left.layers]).toEqual([chainId("f"), chainId("9")]);
  endLease();
  expect(await gc.collect()).toEqual({ blobs: 1, layers: 1 });
  expect(told).toEqual([
    { blobs: 3, layers: 1 },
    { blobs: 1, layers: 1 },
  ]);
});

test("what an operation came across and no image has is collected after it, and nothing else is looked at", async () => {
  const { gc, left, leases, asked, users } = setUp({ blobs: "abcdef", layers: "abcdef" });
  const endLease = leases.begin();
  for (const character of "ab") leases.touchBlob(digest(character));
  for (const character of "ad") leases.touchLayer(chainId(character));
  users.images.add(digest("a"));
  endLease();
  asked.splice(0);
  expect(await gc.collect()).toEqual({ blobs: 1, layers: 1 });
  expect(asked).toEqual([digest("b"), digest("d")]);
  expect([...left.blobs]).toEqual([..."acdef"].map(digest));
  expect([...left.layers]).toEqual([..."abcef"].map(chainId));
});

test("one that is used is asked about again only when its user lets go of it", async () => {
  const { gc, left, users, asked } = setUp({ blobs: "a", layers: "b" }, { byImages: "a", byContainers: "b" });
  gc.suspectAll();
  expect(await gc.collect()).toEqual({ blobs: 0, layers: 0 });
  users.images.clear();
  users.containers.clear();
  asked.splice(0);
  expect(await gc.collect()).toEqual({ blobs: 0, layers: 0 });
  expect(asked).toEqual([]);
  gc.suspect({ blobs: [digest("a")] });
  gc.suspect({ layers: [chainId("b")] });
  expect(await gc.collect()).toEqual({ blobs: 1, layers: 1 });
  expect([left.blobs.size, left.layers.size]).toEqual([0, 0]);
});

test("what the disk did not let go is tried again by the next collection", async () => {
  const { gc, left, breakDisk } = setUp({ blobs: "ab", layers: "" });
  gc.suspectAll();
  breakDisk(true);
  await expect(gc.collect()).rejects.toMatchObject({ code: "ResourceExhausted" });
  breakDisk(false);
  expect(await gc.collect()).toEqual({ blobs: 2, layers: 0 });
  expect(left.blobs.size).toBe(0);
});
