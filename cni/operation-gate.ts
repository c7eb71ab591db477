/**
 * Lets many operations in at once, or one that must be alone. GC must not run beside ADD or DEL (CNI spec 1.1.0,
 * section 2 "GC"), which may run beside each other. Who waits to be alone is let in before those that come later.
 */
export class OperationGate {
  private readonly running = new Set<Promise<void>>();
  /** The last of those that are alone or wait to be; settles with it and never rejects. */
  private alone: Promise<void> | undefined;

  async shared<T>(work: () => Promise<T>): Promise<T> {
    while (this.alone) await this.alone;
    return this.track(work);
  }

  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    // From here on no shared work starts, so that these are all that are to be waited for.
    const before = [this.alone, ...this.running];
    const result = Promise.all(before).then(work);
    const done = settled(result).then(() => {
      if (this.alone === done) this.alone = undefined;
    });
    this.alone = done;
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
