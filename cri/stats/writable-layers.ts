import type { FilesystemUsage, Init } from "../../api/messages";
import type { DiskUsage } from "../../images/disk-usage";
import { nowNs } from "../clock";
import type { Container } from "../store/container";

/** Counting walks the whole tree, so an answer this old will do. */
const maxAgeMs = 60_000;
/** A walk that takes longer goes on for the next question; this one gets the count before it. */
const patienceMs = 1000;

export interface WritableLayersModules {
  /** Counts what a container has written. */
  measure(container: Container): Promise<DiskUsage>;
  /** What the kubelet knows their file system by; the one that ImageFsInfo tells. */
  mountpoint: string;
}

/** What containers have written, counted rarely and each by one walk at a time. */
export class WritableLayers {
  /** By the container itself, so that what is removed is forgotten. */
  private readonly known = new WeakMap<Container, { usage: Init<FilesystemUsage>; atMs: number }>();
  private readonly walks = new WeakMap<Container, Promise<void>>();

  constructor(private readonly modules: WritableLayersModules) {}

  /** Null where it has never been counted, be it that it takes long or that the layer is gone. */
  async usage(container: Container): Promise<Init<FilesystemUsage> | null> {
    const known = this.known.get(container);
    if (known && performance.now() - known.atMs < maxAgeMs) return known.usage;
    const walk = this.walks.get(container) ?? this.walk(container);
    await Promise.race([walk, new Promise((resolve) => setTimeout(resolve, patienceMs).unref())]);
    return this.known.get(container)?.usage ?? null;
  }

  private walk(container: Container): Promise<void> {
    const walk = this.modules
      .measure(container)
      .then(
        ({ usedBytes, inodes }) => {
          const usage = {
            timestamp: nowNs(),
            fsId: { mountpoint: this.modules.mountpoint },
            usedBytes: { value: BigInt(usedBytes) },
            inodesUsed: { value: BigInt(inodes) },
          };
          this.known.set(container, { usage, atMs: performance.now() });
        },
        // removed meanwhile
        () => {},
      )
      .finally(() => this.walks.delete(container));
    this.walks.set(container, walk);
    return walk;
  }
}
