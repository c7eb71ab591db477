import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { processesByEnvironment } from "../sys/processes-by-environment";
import { signalProcess } from "../sys/process-identity";
import type { ProcessOutcome, ProcessRequest, RunProcess } from "./bounded-process";

/** The variable by which a plugin, and all that it starts, is known as one run's. */
export const runVariable = "BERTH_CNI_RUN";

const sigkill = 9;
const patienceMs = 5000;
const lookMs = 10;

/**
 * Which plugins run now, on disk, so that one outlives neither the daemon's end nor its next start: an ADD that goes on
 * by itself would take an address after its DEL, and a GC that does would free those of pods that came later. A run has
 * a random mark, the name of a file before the plugin starts, and in the plugin's environment. So there is no moment
 * in which a plugin is not known, and no number that could mean another process by then.
 */
export class PluginRuns {
  /** Makes `directory` where it is missing. */
  constructor(
    private readonly directory: string,
    private readonly runProcess: RunProcess,
  ) {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** Runs a program as `runProcess` does, known on disk while it runs. */
  async run(request: ProcessRequest): Promise<ProcessOutcome> {
    const mark = randomBytes(16).toString("hex");
    const file = path.join(this.directory, mark);
    this.write(file);
    let isGone = true;
    try {
      const outcome = await this.runProcess({ ...request, env: { ...request.env, [runVariable]: mark } });
      // one that outlives SIGKILL, in an uninterruptible sleep, is still to be ended
      isGone = outcome.exitCode !== null || outcome.signal !== null;
      return outcome;
    } finally {
      if (isGone) fs.rmSync(file, { force: true });
    }
  }

  /**
   * Ends what an earlier daemon has left running, and waits until it is gone. Returns the numbers of the processes that
   * were told to end, and of those that do not.
   */
  async endLeftOver(): Promise<{ told: number[]; left: number[] }> {
    const marks = new Set(fs.readdirSync(this.directory));
    const told = new Set<number>();
    const untilMs = performance.now() + patienceMs;
    const look = () => (marks.size === 0 ? [] : processesByEnvironment(runVariable, marks));
    let found = look();
    // again, for one may have started another between the look and the signal
    while (found.length > 0 && performance.now() < untilMs) {
      for (const process of found) {
        told.add(process.pid);
        signalProcess(process, sigkill);
      }
      await sleep(lookMs);
      found = look();
    }
    if (found.length === 0) for (const mark of marks) fs.rmSync(path.join(this.directory, mark), { force: true });
    return { told: [...told], left: found.map(({ pid }) => pid) };
  }

  private write(file: string): void {
    try {
      fs.writeFileSync(file, "", { mode: 0o600 });
    } catch {
      // on a full disk a pod can still be taken out of its network
    }
  }
}
