/**
 * Lets many operations in at once, or one that must be alone. GC must not run beside ADD or DEL (CNI spec 1.1.0,
 * section 2 "GC"), which may run beside each other.
 */
export class OperationGate {
  private running = 0;
  /** The one that is alone; settles with it and never rejects. */
  private alone: Promise<void> | undefined;

  async shared<T>(work: () => Promise<T>): Promise<T> {
    while (this.alone) await this.alone;
    this.running++;
    try {
      return await work();
    } finally {
      this.running--;
    }
  }

  /**
   * Runs `work` alone; those that come meanwhile wait. Does nothing, and returns undefined, where somebody is in: it
   * would have to wait for the slowest, and all who come after for both.
   */
  async exclusiveIfIdle<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.running > 0 || this.alone) return undefined;
    const result = work();
    this.alone = result.then(
      () => {},
      () => {},
    );
    try {
      return await result;
    } finally {
      this.alone = undefined;
    }
  }
}
