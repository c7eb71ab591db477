import { trimMemory } from "../../sys/trim-memory";

/** So many sessions leave enough behind that it is worth the pause. */
const sessionsWorth = 16;
const delayMs = 10_000;

/** Sees to it that a burst of sessions leaves the daemon as small as it was. */
export class IdleTrim {
  private ended = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly trim: () => void = trimMemory) {}

  sessionEnded(): void {
    this.ended += 1;
    if (this.ended < sessionsWorth || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.ended = 0;
      this.trim();
    }, delayMs);
    this.timer.unref();
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
