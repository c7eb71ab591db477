import fs from "node:fs";
import { messageOf } from "../api/errors";
import { type ConfigDirectory, readConfigDirectory } from "./config-directory";
import type { NetworkConfig } from "./network-config";

export interface ConfigWatchOptions {
  confDir: string;
  /** How long changes must have been quiet before they are read. */
  debounceMs?: number;
  /** How often a directory that cannot be watched, since it is not there, is looked for. */
  retryMs?: number;
}

export interface ConfigWatchModules {
  warn(message: string): void;
  /** The network that is in use now is another, or none. */
  onChange?(network: NetworkConfig | undefined): void;
}

type Watched = { watcher: fs.FSWatcher; identity: string };

/** The network that the configuration directory gives now, and what is wrong with it. */
export class ConfigWatch {
  private held: ConfigDirectory;
  private watched = new Map<string, Watched>();
  private debounce: NodeJS.Timeout | undefined;
  private retry: NodeJS.Timeout | undefined;
  private reading: Promise<void> | undefined;
  private running = false;

  constructor(
    private readonly options: ConfigWatchOptions,
    private readonly modules: ConfigWatchModules,
  ) {
    this.held = { network: undefined, file: undefined, problems: [], directories: [options.confDir] };
  }

  /** Reads the directory and watches it from then on. */
  async start(): Promise<void> {
    this.running = true;
    await this.reload();
  }

  stop(): void {
    this.running = false;
    clearTimeout(this.debounce);
    clearTimeout(this.retry);
    for (const { watcher } of this.watched.values()) watcher.close();
    this.watched.clear();
  }

  network(): NetworkConfig | undefined {
    return this.held.network;
  }

  /** Broken files that come before the network's own, each with the reason. */
  problems(): string[] {
    return this.held.problems;
  }

  /** Reads the directory now, once for all who ask at the same time. Never throws: what is wrong is a problem. */
  reload(): Promise<void> {
    this.reading ??= this.read().finally(() => {
      this.reading = undefined;
    });
    return this.reading;
  }

  private async read(): Promise<void> {
    const before = this.held;
    // Watched first, so that a change during the reading is seen; read again where it leads to more directories.
    this.rewatch(before.directories);
    do this.held = await readConfigDirectory(this.options.confDir);
    while (this.rewatch(this.held.directories));
    const told = new Set(before.problems);
    for (const problem of this.held.problems) {
      if (!told.has(problem)) this.modules.warn(`CNI configuration ${problem}`);
    }
    if (JSON.stringify(before.network) !== JSON.stringify(this.held.network)) {
      this.modules.onChange?.(this.held.network);
    }
  }

  // Returns whether one more is watched. A directory within confDir that is not there yet shows by an event of confDir.
  private rewatch(directories: string[]): boolean {
    if (!this.running) return false;
    for (const directory of this.watched.keys()) if (!directories.includes(directory)) this.unwatch(directory);
    let added = false;
    for (const directory of directories) {
      const identity = identify(directory);
      if (this.watched.get(directory)?.identity === identity) continue;
      this.unwatch(directory);
      if (identity && this.watch(directory, identity)) added = true;
    }
    clearTimeout(this.retry);
    if (!this.watched.has(this.options.confDir)) {
      this.retry = setTimeout(() => void this.reload(), this.options.retryMs ?? 2000).unref();
    }
    return added;
  }

  private watch(directory: string, identity: string): boolean {
    try {
      const watcher = fs.watch(directory, { persistent: false }, () => this.changed());
      watcher.on("error", () => this.changed());
      this.watched.set(directory, { watcher, identity });
      return true;
    } catch (error) {
      // It may have gone since; being out of inotify watches is worth a word, and the retry reads all the same.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
        this.modules.warn(`${directory} cannot be watched: ${messageOf(error)}`);
      }
      return false;
    }
  }

  private unwatch(directory: string): void {
    this.watched.get(directory)?.watcher.close();
    this.watched.delete(directory);
  }

  private changed(): void {
    if (!this.running) return;
    clearTimeout(this.debounce);
    // A reading that is under way may have passed what has changed: another one follows it.
    const follow = () => void Promise.resolve(this.reading).then(() => this.reload());
    this.debounce = setTimeout(follow, this.options.debounceMs ?? 100).unref();
  }
}

// One that was removed and made again under its name may have its old inode number too, but not its time of birth.
function identify(directory: string): string | undefined {
  const stat = fs.statSync(directory, { bigint: true, throwIfNoEntry: false });
  return stat && `${stat.dev}:${stat.ino}:${stat.birthtimeNs}`;
}
