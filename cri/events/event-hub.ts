import { Subscription } from "./subscription";

export interface EventCounts {
  subscribers: number;
  /** Events that wait to be read, of all subscribers. */
  queued: number;
  /** Events that slow subscribers have lost since the start. */
  dropped: number;
}

/** Hands each event to every subscriber that is there when it happens. */
export class EventHub<T> {
  private readonly subscriptions = new Set<Subscription<T>>();
  private isClosed = false;
  private dropped = 0;

  constructor(private readonly limitPerSubscriber = 4096) {}

  get hasSubscribers(): boolean {
    return this.subscriptions.size > 0;
  }

  counts(): EventCounts {
    const queued = [...this.subscriptions].reduce((sum, subscription) => sum + subscription.queued, 0);
    return { subscribers: this.subscriptions.size, queued, dropped: this.dropped };
  }

  publish(event: T): void {
    for (const subscription of this.subscriptions) this.dropped += subscription.push(event);
  }

  /** Events from this call on. Throws ResourceExhausted, while it is read, for a reader that is too slow. */
  subscribe(signal: AbortSignal): AsyncGenerator<T> {
    const subscription = new Subscription<T>(this.limitPerSubscriber);
    if (this.isClosed) subscription.end();
    // at once, not when the first event is asked for: what happens in between belongs to it
    this.subscriptions.add(subscription);
    signal.addEventListener("abort", () => this.subscriptions.delete(subscription), { once: true });
    return this.readOut(subscription, signal);
  }

  private async *readOut(subscription: Subscription<T>, signal: AbortSignal): AsyncGenerator<T> {
    try {
      yield* subscription.read(signal);
    } finally {
      this.subscriptions.delete(subscription);
    }
  }

  /** Ends all subscriptions once they have been read out. */
  close(): void {
    this.isClosed = true;
    for (const subscription of this.subscriptions) subscription.end();
  }
}
