/** CPU time used by one moment. */
export interface CpuReading {
  /** Of the monotonic clock. */
  atNs: bigint;
  usageNs: bigint;
}

/** A reading this young is not yet measured against: the kernel counts in ticks, so a short span says little. */
const minSpanNs = 1_000_000_000n;

/**
 * How much of a CPU is used, over the time since a reading of some seconds ago. Readings may come at any time; those
 * that come in quick succession do not shorten the span.
 */
export class CpuWindow {
  private base: CpuReading;
  private mark: CpuReading;
  private latest: CpuReading;

  constructor(first: CpuReading) {
    this.base = first;
    this.mark = first;
    this.latest = first;
  }

  add(reading: CpuReading): void {
    this.latest = reading;
    if (reading.atNs - this.mark.atNs < minSpanNs) return;
    this.base = this.mark;
    this.mark = reading;
  }

  /** Whether there is one reading alone. */
  get isFirst(): boolean {
    return this.latest === this.base;
  }

  /** Billionths of a core; undefined before the second reading. */
  get nanoCores(): bigint | undefined {
    const spanNs = this.latest.atNs - this.base.atNs;
    if (spanNs <= 0n) return undefined;
    const usedNs = this.latest.usageNs - this.base.usageNs;
    return usedNs <= 0n ? 0n : (usedNs * 1_000_000_000n) / spanNs;
  }
}
