import { messageOf } from "../api/errors";
import { NotifySocket } from "../sys/notify-socket";

/** What a service tells its manager, in the words of sd_notify(3). */
type Notify = (assignments: Record<string, string>) => void;

export interface WatchdogParts {
  notify: Notify;
  /** Rejects where the daemon does not do its work, or not within `timeoutMs`. */
  selfCheck(timeoutMs: number): Promise<void>;
  report(message: string): void;
}

/**
 * Tells systemd how the daemon fares. Takes systemd's variables out of `environment`, for runtimes and monitors would
 * take them for their own. Without such variables everything here does nothing.
 */
export class ServiceManager {
  private readonly socket: NotifySocket | undefined;
  private readonly watchdogMs: number | undefined;
  private stopWatchdog = () => {};

  constructor(
    environment: NodeJS.ProcessEnv,
    private readonly parts: Omit<WatchdogParts, "notify">,
  ) {
    const { NOTIFY_SOCKET: name, WATCHDOG_USEC: micros, WATCHDOG_PID: pid } = environment;
    for (const key of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete environment[key];
    if (!name) return;
    this.socket = new NotifySocket(name);
    const own = pid === undefined || pid === String(process.pid);
    if (own && Number(micros) > 0) this.watchdogMs = Number(micros) / 1000;
  }

  /** The socket answers. From now on the watchdog is fed. */
  ready(status: string): void {
    this.notify({ READY: "1", STATUS: status });
    if (this.watchdogMs !== undefined) {
      this.stopWatchdog = feedWatchdog(this.watchdogMs, { ...this.parts, notify: this.notify });
    }
  }

  /** The daemon is about to end; the manager then waits by TimeoutStopSec alone. */
  stopping(): void {
    this.stopWatchdog();
    this.notify({ STOPPING: "1", STATUS: "finishes the calls under way" });
  }

  private notify: Notify = (assignments) => {
    try {
      this.socket?.send(assignments);
    } catch (error) {
      this.parts.report(`the service manager can't be told: ${messageOf(error)}`);
    }
  };
}

/**
 * Sends WATCHDOG=1 after each self-check that succeeds, three times as often as the manager wants to hear it: a check
 * may take a third of the time, and comes a third after the last. Timers run on the event loop, so a loop that hangs
 * feeds nothing. Returns what ends it.
 */
export function feedWatchdog(watchdogMs: number, { notify, selfCheck, report }: WatchdogParts): () => void {
  const periodMs = Math.floor(watchdogMs / 3);
  let stopped = false;
  let timer: NodeJS.Timeout;
  const feed = async () => {
    try {
      await selfCheck(periodMs);
      if (!stopped) notify({ WATCHDOG: "1" });
    } catch (error) {
      if (!stopped) report(`the self-check failed: ${messageOf(error)}`);
    }
    if (!stopped) timer = setTimeout(feed, periodMs);
  };
  timer = setTimeout(feed, periodMs);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
