import { BerthError } from "../../api/errors";

/** Events for one subscriber, in the order in which they came. One that reads too slowly loses its place. */
export class Subscription<T> {
  private queue: T[] = [];
  private isEnded = false;
  private isLost = false;
  private wake = () => {};

  constructor(private readonly limit: number) {}

  get queued(): number {
    return this.queue.length;
  }

  /** Returns how many events the subscriber will not see because of this one. */
  push(event: T): number {
    if (this.isEnded) return 0;
    if (this.isLost) return 1;
    let dropped = 0;
    if (this.queue.length >= this.limit) {
      // what is left out would be missed unseen; the subscriber must know, and holds no memory until it does
      this.isLost = true;
      dropped = this.queue.length + 1;
      this.queue = [];
    } else this.queue.push(event);
    this.wake();
    return dropped;
  }

  /** What has come so far can still be read. */
  end(): void {
    this.isEnded = true;
    this.wake();
  }

  /** Until end(), or until `signal` is aborted. Throws ResourceExhausted where more came than could be kept. */
  async *read(signal: AbortSignal): AsyncGenerator<T> {
    const onAbort = () => this.end();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      while (!signal.aborted) {
        if (this.isLost) {
          throw new BerthError("ResourceExhausted", `the subscriber is more than ${this.limit} events behind`, {
            hint: "list what there is and subscribe again",
          });
        }
        const event = this.queue.shift();
        if (event !== undefined) yield event;
        else if (this.isEnded) return;
        else
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}
