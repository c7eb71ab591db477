import fs from "node:fs";

const kernelSwitch = "/sys/kernel/rcu_expedited";

export interface GracePeriodOptions {
  /** A file that is there exactly while the switch is on because of this process. */
  marker: string;
  /** Without it work is done as it is. */
  enabled: boolean;
  kernelSwitch?: string;
}

/**
 * Has the kernel expedite its RCU grace periods while work is under way that waits for them: a process that is put into a
 * cgroup waits for one, an interface that is taken away for several, 10 to 20 ms each (kernel-parameters.txt,
 * rcupdate.rcu_expedited). It holds for the whole machine, whose busy processors are interrupted for each, so it is on no
 * longer than such work takes. Where somebody else has turned it on it stays on; where rcu_normal is set, as on a
 * real-time kernel, the kernel heeds that instead.
 */
export class GracePeriods {
  private readonly file: string;
  private waiting = 0;
  private isOurs = false;

  constructor(private readonly options: GracePeriodOptions) {
    this.file = options.kernelSwitch ?? kernelSwitch;
  }

  /** Does work that waits for grace periods; without their being expedited where that can't be had. */
  async expedite<T>(work: () => Promise<T>): Promise<T> {
    if (this.waiting++ === 0) this.turnOn();
    try {
      return await work();
    } finally {
      if (--this.waiting === 0) this.turnOff();
    }
  }

  /** Turns off what this daemon has turned on, also in an earlier life that was cut short. */
  settle(): void {
    this.isOurs = fs.existsSync(this.options.marker);
    this.turnOff();
  }

  private turnOn(): void {
    if (!this.options.enabled) return;
    try {
      if (fs.readFileSync(this.file, "utf8").trim() !== "0") return;
      fs.writeFileSync(this.options.marker, "");
      this.isOurs = true;
      fs.writeFileSync(this.file, "1");
    } catch {
      // a container's /sys is often read-only
      this.turnOff();
    }
  }

  private turnOff(): void {
    if (!this.isOurs) return;
    this.isOurs = false;
    try {
      fs.writeFileSync(this.file, "0");
      fs.rmSync(this.options.marker, { force: true });
    } catch {
      // the next start tries again
    }
  }
}
