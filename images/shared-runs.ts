import { abortError } from "./http-body";

interface Run<Result, Event> {
  callers: number;
  listeners: Set<(event: Event) => void>;
  controller: AbortController;
  result: Promise<Result>;
}

/** What a caller of a shared run wants of it beside its result. */
export interface Caller<Event> {
  signal?: AbortSignal;
  onEvent?: (event: Event) => void;
}

export type SharedWork<Result, Event> = (signal: AbortSignal, emit: (event: Event) => void) => Promise<Result>;

/**
 * One run of a piece of work however many ask for it at the same time. A caller that gives up does not end the work
 * for the others; when the last one gives up, the work is aborted.
 */
export class SharedRuns<Result, Event> {
  private readonly runs = new Map<string, Run<Result, Event>>();

  /** Throws what the work throws, and Cancelled (or the signal's own BerthError) for a caller that gave up. */
  async join(key: string, caller: Caller<Event>, work: SharedWork<Result, Event>): Promise<Result> {
    const { signal, onEvent = () => {} } = caller;
    if (signal?.aborted) throw abortError(signal);
    const run = this.runs.get(key) ?? this.start(key, work);
    // one function may listen for several callers
    const listener = (event: Event) => onEvent(event);
    run.listeners.add(listener);
    run.callers++;
    let onAbort = () => {};
    const gaveUp = new Promise<never>((_, reject) => {
      onAbort = () => reject(abortError(signal!));
      signal?.addEventListener("abort", onAbort);
    });
    try {
      return await Promise.race([run.result, gaveUp]);
    } finally {
      signal?.removeEventListener("abort", onAbort);
      run.listeners.delete(listener);
      run.callers--;
      if (run.callers === 0) {
        // nobody may join what is about to be aborted
        this.forget(key, run);
        run.controller.abort();
      }
    }
  }

  private start(key: string, work: SharedWork<Result, Event>): Run<Result, Event> {
    const controller = new AbortController();
    const listeners: Run<Result, Event>["listeners"] = new Set();
    const emit = (event: Event) => {
      for (const listener of listeners) listener(event);
    };
    const run = { callers: 0, listeners, controller, result: work(controller.signal, emit) };
    this.runs.set(key, run);
    const forget = () => this.forget(key, run);
    run.result.then(forget, forget);
    return run;
  }

  private forget(key: string, run: Run<Result, Event>): void {
    if (this.runs.get(key) === run) this.runs.delete(key);
  }
}
