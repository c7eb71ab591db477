import fs from "node:fs";
import { withFd } from "./libc";

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

  constructor(private readonly options: GracePeriodOptions) {
    this.file = options.kernelSwitch ?? kernelSwitch;
  }

  /** Does work that waits for grace periods; without their being expedited where that can't be had. */
  async expedite<T>(work: () => Promise<T>): Promise<T> {
    if (this.waiting++ === 0) this.turnOn();
    try {
      return await work();
    } finally {
      if (--this.waiting === 0) this.settle();
    }
  }

  /** Turns off what this daemon has turned on, also in an earlier life that was cut short. */
  settle(): void {
    const { marker } = this.options;
    if (!fs.existsSync(marker)) return;
    try {
      fs.writeFileSync(this.file, "0");
      fs.rmSync(marker, { force: true });
    } catch {
      // the next start tries again
    }
  }

  private turnOn(): void {
    if (!this.options.enabled) return;
    try {
      // a container's /sys is often read-only: then no marker is made
      withFd(fs.openSync(this.file, "r+"), (fd) => {
        if (fs.readFileSync(fd, "utf8").trim() !== "0") return;
        fs.writeFileSync(this.options.marker, "");
        fs.writeSync(fd, "1", 0);
      });
    } catch {
      this.settle();
    }
  }
}
