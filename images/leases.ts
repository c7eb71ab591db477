import type { ChainId, Digest } from "../api/ids";

/** Ends the protection that begin() gave; calling it twice is harmless. */
export type EndLease = () => void;

/** What operations have come across. */
export interface Touched {
  blobs: ReadonlySet<Digest>;
  layers: ReadonlySet<ChainId>;
}

/**
 * Keeps what an operation has come across from being collected while it goes on: a blob that a pull has just stored or
 * found belongs to no image yet. Whatever is made, found or read while any operation runs is held until none does. In
 * memory alone: after a restart no operation is running.
 */
export class Leases {
  private running = 0;
  private blobs = new Set<Digest>();
  private layers = new Set<ChainId>();
  private readonly idleListeners: ((touched: Touched) => void)[] = [];

  /** An operation starts. */
  begin(): EndLease {
    this.running++;
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      if (--this.running > 0) return;
      const touched = { blobs: this.blobs, layers: this.layers };
      this.blobs = new Set();
      this.layers = new Set();
      for (const listener of this.idleListeners) listener(touched);
    };
  }

  /** `listener` is called whenever the last operation has ended, with what is no longer held. */
  onIdle(listener: (touched: Touched) => void): void {
    this.idleListeners.push(listener);
  }

  touchBlob(digest: Digest): void {
    if (this.running > 0) this.blobs.add(digest);
  }

  touchLayer(chainId: ChainId): void {
    if (this.running > 0) this.layers.add(chainId);
  }

  holdsBlob(digest: Digest): boolean {
    return this.blobs.has(digest);
  }

  holdsLayer(chainId: ChainId): boolean {
    return this.layers.has(chainId);
  }
}
