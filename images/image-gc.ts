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
  /** Told what each collection has removed. */
  collected?(removed: CollectedGarbage): void;
}

/** How many of each were removed. */
export interface CollectedGarbage {
  blobs: number;
  layers: number;
}

/**
 * Removes blobs and layers that belong to no image, to no container and to no operation under way. So that a collection
 * looks at few of those that there are, it is known which may be garbage: what operations came across and no image has,
 * and what an image or a container has let go of (suspect()).
 */
export class ImageGc {
  private readonly blobs = new Set<Digest>();
  private readonly layers = new Set<ChainId>();
  private collecting: Promise<unknown> = Promise.resolve();

  constructor(private readonly modules: ImageGcModules) {
    modules.leases.onIdle((touched) => this.suspect(touched));
  }

  /** These may be garbage now. Those that an image has are left out: whoever removes the image tells of them. */
  suspect({ blobs = [], layers = [] }: { blobs?: Iterable<Digest>; layers?: Iterable<ChainId> }): void {
    const { images } = this.modules;
    for (const digest of blobs) if (!images.usesBlob(digest)) this.blobs.add(digest);
    for (const chainId of layers) if (!images.usesLayer(chainId)) this.layers.add(chainId);
  }

  /** All that are there: of those that come from an earlier run nothing is known. */
  suspectAll(): void {
    this.suspect({ blobs: this.modules.blobs.list(), layers: this.modules.layers.list() });
  }

  /**
   * Removes what may be garbage and is; runs one at a time. Throws ResourceExhausted where the disk lets nothing be
   * removed; the next tries again.
   */
  collect(): Promise<CollectedGarbage> {
    const next = this.collecting.then(() => this.removeUnused());
    this.collecting = next.catch(() => {});
    return next;
  }

  /** Whether one is used is asked just before it goes, with nothing awaited in between. */
  private async removeUnused(): Promise<CollectedGarbage> {
    const { images, blobs, layers, snapshots, leases } = this.modules;
    const removed = { blobs: 0, layers: 0 };
    try {
      for (const digest of this.blobs) {
        const isUsed = images.usesBlob(digest) || leases.holdsBlob(digest);
        if (!isUsed && blobs.delete(digest)) removed.blobs++;
        // one that is used is suspected again when its user lets go of it
        this.blobs.delete(digest);
      }
      for (const chainId of this.layers) {
        // before its files go: one of the same name may be made and suspected meanwhile
        this.layers.delete(chainId);
        const isUsed = images.usesLayer(chainId) || leases.holdsLayer(chainId) || snapshots.uses(chainId);
        if (!isUsed && (await layers.remove(chainId))) removed.layers++;
      }
    } finally {
      this.modules.collected?.(removed);
    }
    return removed;
  }
}
