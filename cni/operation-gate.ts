/**
 * Lets many operations in at once, or one that must be alone. GC must not run beside ADD or DEL (CNI spec 1.1.0,
 * section 2 "GC"), which may run beside each other. Who waits to be alone is let in before those that come later.
 */
export class OperationGate {
  private readonly running = new Set<Promise<void>>();
  private alone: Promise<void> = Promise.resolve();

  async shared<T>(work: () => Promise<T>): Promise<T> {
    for (let seen: Promise<void> | undefined; seen !== this.alone; ) {
      seen = this.alone;
      await seen;
    }
    return this.track(work);
  }

  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    const before = this.alone;
    const result = (async () => {
      await before;
      await Promise.all(this.running);
      return work();
    })();
    this.alone = settled(result);
    return result;
  }

  private track<T>(work: () => Promise<T>): Promise<T> {
    const result = work();
    const done = settled(result);
    this.running.add(done);
    void done.then(() => this.running.delete(done));
    return result;
  }
}

const settled = (work: Promise<unknown>): Promise<void> =>
  work.then(
    () => {},
    () => {},
  );
