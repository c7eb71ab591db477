import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { BerthError } from "../../api/errors";
import { writeFileDurably } from "../../sys/durable-file";

/** The machine that is made a node of Berth's: its files and its programs. */
export interface Host {
  /** A file's text; undefined where there is none. */
  read(file: string): string | undefined;
  /** Whole or not at all; a file that was there keeps its mode. Makes the directory. */
  write(file: string, text: string): Promise<void>;
  /** The directories above a file that write() would have to make, innermost first. */
  missingAbove(file: string): string[];
  remove(file: string): void;
  /** Where it is empty. */
  removeDirectory(directory: string): void;
  /** A program's standard output. Throws NotFound where it is not there, Internal with its words where it fails. */
  run(command: string, args: string[], options?: RunOptions): Promise<string>;
}

export interface RunOptions {
  input?: string;
  timeoutMs?: number;
  /** Exit codes that are no failure; 0 is none anyway. */
  accept?: number[];
}

const runTimeoutMs = 120_000;

export const thisHost: Host = {
  read(file) {
    try {
      return fs.readFileSync(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  },

  async write(file, text) {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
    const mode = fs.existsSync(file) ? fs.statSync(file).mode & 0o7777 : 0o644;
    await writeFileDurably(file, text, { mode });
    fs.chmodSync(file, mode); // whatever the umask
  },

  missingAbove(file) {
    const missing: string[] = [];
    for (let above = path.dirname(file); !fs.existsSync(above); above = path.dirname(above)) missing.push(above);
    return missing;
  },

  remove: (file) => fs.rmSync(file, { force: true }),

  removeDirectory(directory) {
    try {
      fs.rmdirSync(directory);
    } catch {
      // one that others use too, or that is not there
    }
  },

  run: (command, args, { input, timeoutMs = runTimeoutMs, accept = [] } = {}) =>
    new Promise((resolve, reject) => {
      const child = execFile(command, args, { timeout: timeoutMs, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
        const code = (error as { code?: unknown } | null)?.code;
        if (!error || accept.includes(code as number)) return resolve(stdout);
        if (code === "ENOENT") return reject(new BerthError("NotFound", `there is no program ${command}`));
        const why = error.killed ? `no end within ${timeoutMs} ms` : (stderr || stdout).trim() || error.message;
        reject(new BerthError("Internal", `${[command, ...args].join(" ")}: ${why}`));
      });
      child.stdin?.on("error", () => {}); // it may end before it has read all
      child.stdin?.end(input);
    }),
};

/** What `systemctl is-active` and its like answer, whatever their exit code. */
export const serviceState = async (host: Host, verb: "is-active" | "is-enabled", unit: string): Promise<string> =>
  (await host.run("systemctl", [verb, unit], { accept: [1, 2, 3, 4] })).trim();
