import { Subscription } from "./subscription";

/** Hands each event to every subscriber that is there when it happens. */
export class EventHub<T> {
  private readonly subscriptions = new Set<Subscription<T>>();
  private isClosed = false;

  constructor(private readonly limitPerSubscriber = 4096) {}

  get hasSubscribers(): boolean {
    return this.subscriptions.size > 0;
  }

  publish(event: T): void {
    for (const subscription of this.subscriptions) subscription.push(event);
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
