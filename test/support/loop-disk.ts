import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { readMountInfo } from "../../sys/mount-info";

export interface LoopDiskOptions {
  sizeMb: number;
  /** Of mkfs.ext4, such as ["-N", "64"]. */
  format?: string[];
  /** Of mount(8), such as "data=writeback". */
  mountOptions?: string;
}

/** An ext4 in a file, mounted by a loop device, which goes by itself with the mount. */
export class LoopDisk {
  constructor(
    /** What the device has: a write that was never sent to it is not in there. */
    readonly file: string,
    readonly mountPoint: string,
    private readonly mountOptions = "",
  ) {}

  /** Makes the file and the file system in it. */
  static make(file: string, mountPoint: string, options: LoopDiskOptions): LoopDisk {
    fs.writeFileSync(file, "");
    fs.truncateSync(file, options.sizeMb << 20);
    execFileSync("mkfs.ext4", ["-q", "-m", "0", ...(options.format ?? []), file], { stdio: "pipe" });
    return new LoopDisk(file, mountPoint, options.mountOptions);
  }

  mount(): this {
    fs.mkdirSync(this.mountPoint, { recursive: true });
    const options = ["loop", this.mountOptions].filter((option) => option !== "").join();
    execFileSync("mount", ["-t", "ext4", "-o", options, this.file, this.mountPoint], { stdio: "pipe" });
    return this;
  }

  /** Has the kernel find an error, by which it makes the file system read-only until it has been checked. */
  fail(): void {
    fs.writeFileSync(`/sys/fs/ext4/${this.device()}/trigger_fs_error`, "1");
  }

  /** Repairs what is not mounted. */
  check(): this {
    // 1 says that something was corrected
    execFileSync("sh", ["-c", 'e2fsck -fp "$0" || [ $? -eq 1 ]', this.file], { stdio: "pipe" });
    return this;
  }

  private device(): string {
    return path.basename(readMountInfo().findLast(({ mountPoint }) => mountPoint === this.mountPoint)!.source);
  }

  /** Unmounts, with what lies upon it; does nothing where nothing is mounted. */
  unmount(): void {
    const isBelow = (point: string) => point === this.mountPoint || point.startsWith(`${this.mountPoint}/`);
    const points = readMountInfo().filter(({ mountPoint }) => isBelow(mountPoint));
    for (const { mountPoint } of points.reverse()) execFileSync("umount", [mountPoint], { stdio: "pipe" });
  }

  /** Unmounts and removes the file. */
  remove(): void {
    this.unmount();
    fs.rmSync(this.file, { force: true });
  }

  /**
   * The disk as it would be found if the power went now, as a disk of its own that is not mounted yet. What the kernel
   * writes of itself meanwhile would make a state that never was, so such a copy is made again.
   */
  copyTo(file: string, mountPoint: string): LoopDisk {
    for (let tries = 0; tries < 200; tries++) {
      const before = this.writes();
      execFileSync("cp", ["--sparse=always", this.file, file]);
      if (before.inFlight === 0 && this.writes().count === before.count) {
        return new LoopDisk(file, mountPoint, this.mountOptions);
      }
    }
    throw new Error(`${this.file} is never at rest`);
  }

  /** Writes that the device has finished and such as it is about to (Documentation/block/stat.rst). */
  private writes(): { count: number; inFlight: number } {
    const stat = fs.readFileSync(`/sys/block/${this.device()}/stat`, "utf8");
    const fields = stat.trim().split(/\s+/).map(Number);
    return { count: fields[4]!, inFlight: fields[8]! };
  }
}
