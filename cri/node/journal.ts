import path from "node:path";
import type { Host } from "./host";
import type { FileChange } from "./kubelet-files";

/** What the way back needs. Written before what it tells of is done. */
export interface Before {
  /** The kubelet's runtime before Berth; absent where it has used Berth from the first. */
  endpoint?: string;
  /** Whether the kubelet ran. */
  kubeletRan?: boolean;
  /** Each changed file's text before; null where it was not there. */
  files: { [file: string]: string | null };
  /** What had to be made for the files and for this record. */
  directories: string[];
  /** kubeadm's annotation of the node before; null where there was none, absent where it was not touched. */
  criSocket?: string | null;
  /** Those that were not in the cluster before. */
  runtimeClasses: string[];
  /** The node takes no pods because we are at work. */
  cordoned?: boolean;
}

/** Beside the configuration, and not in the daemon's directories: those may be emptied with Berth in use. */
const directory = "/etc/berth/before";
const recordFile = `${directory}/install.json`;

/**
 * What was on the node before Berth, in a record, and each file as a copy that a person can put back by hand. What is
 * noted twice stays as it was noted first, `cordoned` left aside.
 */
export class Journal {
  constructor(private readonly host: Host) {}

  read(): Before | undefined {
    const text = this.host.read(recordFile);
    return text === undefined ? undefined : JSON.parse(text);
  }

  async note(news: Partial<Before>): Promise<void> {
    const known: Partial<Before> = this.read() ?? {};
    const all: Partial<Before> = {
      endpoint: known.endpoint ?? news.endpoint,
      kubeletRan: known.kubeletRan ?? news.kubeletRan,
      files: { ...news.files, ...known.files },
      directories: [
        ...new Set([...(known.directories ?? []), ...this.host.missingAbove(recordFile), ...(news.directories ?? [])]),
      ],
      criSocket: known.criSocket !== undefined ? known.criSocket : news.criSocket,
      runtimeClasses: [...new Set([...(known.runtimeClasses ?? []), ...(news.runtimeClasses ?? [])])],
      cordoned: news.cordoned ?? known.cordoned,
    };
    const text = `${JSON.stringify(all, null, 2)}\n`;
    if (text !== this.host.read(recordFile)) await this.host.write(recordFile, text);
  }

  /** Puts files in place, each with its copy first. */
  async apply(changes: FileChange[]): Promise<void> {
    await this.note({
      files: Object.fromEntries(changes.map(({ file, before }) => [file, before ?? null])),
      directories: changes.flatMap(({ file }) => this.host.missingAbove(file)),
    });
    for (const { file, before, after } of changes) {
      const copy = `${directory}${file}`;
      if (before !== undefined && this.host.read(copy) === undefined) await this.host.write(copy, before);
      await this.host.write(file, after);
    }
  }

  /** Puts back what was there before each change; what has been changed since is replaced too. */
  async restore(files: Before["files"]): Promise<void> {
    for (const [file, text] of Object.entries(files)) {
      if (text === null) this.host.remove(file);
      else if (this.host.read(file) !== text) await this.host.write(file, text);
    }
  }

  /** Nothing of an installation is left to be undone. */
  forget(): void {
    const { files = {}, directories = [] } = this.read() ?? {};
    const copies = Object.keys(files).map((file) => `${directory}${file}`);
    for (const file of [...copies, recordFile]) this.host.remove(file);
    // those inside others first
    const made = [...new Set([...copies.flatMap(directoriesOfCopy), ...directories])].sort(
      (a, b) => b.length - a.length,
    );
    for (const each of made) this.host.removeDirectory(each);
  }
}

/** Those of a copy below our own directory. */
function directoriesOfCopy(copy: string): string[] {
  const above = path.dirname(copy);
  return above.startsWith(`${directory}/`) ? [above, ...directoriesOfCopy(above)] : [];
}
