import { readCpuUsageNs } from "../../sys/cgroup-cpu";
import type { CgroupPaths, Cgroups } from "../../sys/cgroups";
import { nowNs } from "../clock";
import { CpuWindow } from "./cpu-window";

/** Whose use of the CPU is asked for: a container or a pod. */
export interface CpuSubject {
  id: string;
  cgroups: CgroupPaths;
}

/** How much of the CPU a subject has used by one moment, and uses. */
export interface CpuUse {
  /** When it was read: ns since 1970. */
  timestamp: bigint;
  usageNs: bigint;
  /** Billionths of a core; undefined where the clock has not gone on between two readings. */
  nanoCores: bigint | undefined;
}

interface Sampled extends CpuSubject {
  window: CpuWindow;
  latest: { timestamp: bigint; usageNs: bigint };
}

export interface SamplerTimes {
  /** Between samples of what has been asked for. */
  intervalMs: number;
  /** Between the two readings of what is asked for the first time. */
  firstSpanMs: number;
  /** With no question for so long, sampling ends. */
  idleMs: number;
}

const usual: SamplerTimes = { intervalMs: 10_000, firstSpanMs: 100, idleMs: 300_000 };

/**
 * Keeps earlier readings of CPU time, so that nobody has to ask twice to learn how much is used right now. It starts
 * with the first question and costs one small file for each subject every ten seconds.
 */
export class CpuSampler {
  private readonly sampled = new Map<string, Sampled>();
  private timer: NodeJS.Timeout | undefined;
  private askedAtMs = 0;

  constructor(
    private readonly cgroups: Cgroups,
    private readonly times: SamplerTimes = usual,
  ) {}

  /**
   * By ID; those whose cgroup is gone are left out. Waits a tenth of a second where one of them has never been asked
   * for.
   */
  async use(subjects: readonly CpuSubject[]): Promise<Map<string, CpuUse>> {
    this.askedAtMs = performance.now();
    if (subjects.length === 0) return new Map();
    for (const subject of subjects) this.sample(subject);
    const unknown = subjects.filter(({ id }) => this.sampled.get(id)?.window.isFirst);
    if (unknown.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, this.times.firstSpanMs));
      for (const subject of unknown) this.sample(subject);
    }
    this.timer ??= setInterval(() => this.sampleAll(), this.times.intervalMs).unref();
    return new Map(
      subjects.flatMap(({ id }) => {
        const known = this.sampled.get(id);
        return known ? [[id, { ...known.latest, nanoCores: known.window.nanoCores }] as const] : [];
      }),
    );
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.sampled.clear();
  }

  private sampleAll(): void {
    if (performance.now() - this.askedAtMs > this.times.idleMs) this.stop();
    for (const each of this.sampled.values()) this.sample(each);
  }

  private sample({ id, cgroups }: CpuSubject): void {
    const usageNs = readCpuUsageNs(this.cgroups, cgroups);
    if (usageNs === undefined) {
      this.sampled.delete(id);
      return;
    }
    const latest = { timestamp: nowNs(), usageNs };
    const reading = { atNs: process.hrtime.bigint(), usageNs };
    const known = this.sampled.get(id);
    if (!known) {
      this.sampled.set(id, { id, cgroups, window: new CpuWindow(reading), latest });
      return;
    }
    known.window.add(reading);
    known.latest = latest;
  }
}
