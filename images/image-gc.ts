import type { ChainId } from "../api/ids";
import type { ContentStore } from "./content-store";
import type { ImageStore } from "./image-store";
import type { LayerStore } from "./layer-store";
import type { Leases } from "./leases";

export interface ImageGcModules {
  images: Pick<ImageStore, "list" | "usesLayer">;
  blobs: Pick<ContentStore, "list" | "delete">;
  layers: Pick<LayerStore, "list" | "remove">;
  leases: Leases;
  /** Layers that containers are mounted upon. */
  layersInUse(): Set<ChainId>;
}

/** How many of each were removed. */
export interface CollectedGarbage {
  blobs: number;
  layers: number;
}

/**
 * Removes blobs and layers that belong to no image, to no container and to no operation under way. Whether one is held
 * is asked just before it goes, with nothing awaited in between.
 */
export async function collectGarbage(modules: ImageGcModules): Promise<CollectedGarbage> {
  const { images, blobs, layers, leases, layersInUse } = modules;
  const removed = { blobs: 0, layers: 0 };
  const keptBlobs = new Set(
    images.list().flatMap((image) => [image.id, image.manifest, ...image.layers.map(({ blob }) => blob.digest)]),
  );
  for (const digest of blobs.list()) {
    if (keptBlobs.has(digest) || leases.isHeld(digest)) continue;
    blobs.delete(digest);
    removed.blobs++;
  }
  for (const chainId of layers.list()) {
    if (images.usesLayer(chainId) || leases.isHeld(chainId) || layersInUse().has(chainId)) continue;
    await layers.remove(chainId);
    removed.layers++;
  }
  return removed;
}
