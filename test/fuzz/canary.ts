import fs from "node:fs";
import path from "node:path";
import { promise } from "./target";

/** A directory that hack/fuzz.mjs has made for this process, in memory where there is a place for that, and removes. */
export const workDirectory = process.env["FUZZ_DIRECTORY"]!;

const longAgo = new Date("2020-01-01");

/** A tree that nothing may touch: neither its names, nor what they are like, nor what is in them. */
export class Canary {
  private readonly looks: string;

  constructor(readonly directory: string) {
    fs.mkdirSync(path.join(directory, "below"), { recursive: true });
    fs.writeFileSync(path.join(directory, "secret"), "nobody may read this");
    fs.writeFileSync(path.join(directory, "below", "file"), "nor this");
    fs.symlinkSync("secret", path.join(directory, "link"));
    for (const name of ["secret", "below/file"]) fs.utimesSync(path.join(directory, name), longAgo, longAgo);
    this.looks = this.look();
  }

  /** Fails where something is not as it was; a file that was read has another time (unless mounted with noatime). */
  check(): void {
    const now = this.look();
    promise(now === this.looks, () => `outside of the tree it was\n${this.looks}\nand is\n${now}`);
  }

  private look(): string {
    return ["", "secret", "below", "below/file", "link"]
      .map((name) => {
        const stats = fs.lstatSync(path.join(this.directory, name), { throwIfNoEntry: false });
        if (!stats) return `${name}: gone`;
        const { mode, uid, gid, nlink, size, mtimeMs, ctimeMs, atimeMs } = stats;
        return [name, mode, uid, gid, nlink, size, mtimeMs, ctimeMs, stats.isFile() ? atimeMs : 0].join(" ");
      })
      .join("\n");
  }
}
