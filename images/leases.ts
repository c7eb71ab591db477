/** Ends the protection that begin() gave; calling it twice is harmless. */
export type EndLease = () => void;

/**
 * Keeps what an operation has come across from being collected while it goes on: a blob that a pull has just stored or
 * found belongs to no image yet. Whatever is touched from the oldest running operation's start on is held. In memory
 * alone: after a restart no operation is running.
 */
export class Leases {
  private clock = 0;
  private readonly running = new Set<number>();
  private readonly touchedAt = new Map<string, number>();
  private readonly idleListeners: (() => void)[] = [];

  /** An operation starts. */
  begin(): EndLease {
    const start = ++this.clock;
    this.running.add(start);
    return () => {
      if (!this.running.delete(start) || this.running.size > 0) return;
      this.touchedAt.clear();
      for (const listener of this.idleListeners) listener();
    };
  }

  /** `listener` is called whenever the last operation has ended. */
  onIdle(listener: () => void): void {
    this.idleListeners.push(listener);
  }

  /** Something is made, found or read; keys are the caller's. */
  touch(key: string): void {
    if (this.running.size > 0) this.touchedAt.set(key, ++this.clock);
  }

  isHeld(key: string): boolean {
    return this.touchedAt.has(key);
  }
}
