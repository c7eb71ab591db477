import { messageOf } from "../api/errors";
import type { CollectGarbageResponse, Init } from "../api/messages";
import { isPinned } from "./image-message";
import { giveBack, sandboxesWithNetwork } from "./network-garbage";
import type { Services } from "./services";

export interface GarbageRequest {
  /** Images that no container uses too. */
  images: boolean;
  /** Those that were pulled later are left alone: their containers may be about to come. */
  minAgeMs: number;
}

/** Removes what nothing uses. What can't be removed is told, and keeps the rest from nothing. */
export async function collectNodeGarbage(
  services: Services,
  { images: withImages, minAgeMs }: GarbageRequest,
): Promise<Init<CollectGarbageResponse>> {
  const { images } = services;
  const failed: string[] = [];
  const removedImages: string[] = [];
  const removed = { blobs: 0, layers: 0 };
  const add = ({ blobs, layers }: typeof removed) => {
    removed.blobs += blobs;
    removed.layers += layers;
  };
  const usedBefore = (await images.fsUsage()).images.usedBytes;
  if (withImages) {
    for (const id of unusedImages(services, minAgeMs)) {
      try {
        add(await images.remove(id));
        removedImages.push(id);
      } catch (error) {
        failed.push(`image ${id}: ${messageOf(error)}`);
      }
    }
  }
  add(await images.collect());
  const { given, failures } = await giveBack(services, sandboxesWithNetwork(services));
  failed.push(...failures);
  return {
    removedImages,
    removedBlobs: BigInt(removed.blobs),
    removedLayers: BigInt(removed.layers),
    removedAttachments: BigInt(given.length),
    freedBytes: BigInt(Math.max(0, usedBefore - (await images.fsUsage()).images.usedBytes)),
    failed,
  };
}

function unusedImages({ images, store, config }: Services, minAgeMs: number): string[] {
  const used = new Set<string>(store.containers.list().map(({ record }) => record.image.id));
  const limitNs = BigInt(Date.now() - minAgeMs) * 1_000_000n;
  return images
    .list()
    .filter((image) => !used.has(image.id) && !isPinned(image, config.images.pinned))
    .filter((image) => BigInt(image.pulledAtNs) <= limitNs)
    .map(({ id }) => id);
}
