import type { ChainId, Digest } from "../api/ids";
import type { ContentStore } from "./content-store";
import type { ImageStore } from "./image-store";
import type { LayerStore } from "./layer-store";
import type { Leases } from "./leases";
import type { Snapshots } from "./snapshots";

export interface ImageGcModules {
  images: Pick<ImageStore, "usesBlob" | "usesLayer">;
  blobs: Pick<ContentStore, "list" | "delete">;
  layers: Pick<LayerStore, "list" | "remove">;
  snapshots: Pick<Snapshots, "uses">;
  leases: Leases;
}

/** How many of each were removed. */
export interface CollectedGarbage {
  blobs: number;
  layers: number;
}

/** What may have become garbage. */
export interface GarbageCandidates {
  blobs: readonly Digest[];
  layers: readonly ChainId[];
}

/**
 * Removes blobs and layers that belong to no image, to no container and to no operation under way; of all that are
 * there, or of the candidates alone. Whether one is held is asked just before it goes, with nothing awaited in between.
 */
export async function collectGarbage(
  modules: ImageGcModules,
  candidates?: GarbageCandidates,
): Promise<CollectedGarbage> {
  const { images, blobs, layers, snapshots, leases } = modules;
  const removed = { blobs: 0, layers: 0 };
  for (const digest of candidates?.blobs ?? blobs.list()) {
    if (images.usesBlob(digest) || leases.isHeld(digest)) continue;
    if (blobs.delete(digest)) removed.blobs++;
  }
  for (const chainId of candidates?.layers ?? layers.list()) {
    if (images.usesLayer(chainId) || leases.isHeld(chainId) || snapshots.uses(chainId)) continue;
    if (await layers.remove(chainId)) removed.layers++;
  }
  return removed;
}
