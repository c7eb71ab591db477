import fs from "node:fs";
import path from "node:path";
import { messageOf } from "../../api/errors";
import { writeFileAtomically } from "../../sys/durable-file";
import { errnoOf } from "../../sys/libc";
import { checkDepth, checkObject } from "./record-checks";

/** Every record starts with the version of its format; a newer one is refused, not guessed at. */
export const recordVersion = 1;

/** A configuration has 4 MiB at most, and base64 makes a third more of it. */
const recordLimitBytes = 16 << 20;

export interface LoadedRecords<R> {
  records: R[];
  orphans: Orphan[];
}

/** A directory without a readable record: of an operation that a crash has cut off, or damaged. */
export interface Orphan {
  id: string;
  reason: string;
  /** Where the damaged record lies now; undefined where there was none. */
  setAside?: string;
}

export interface RecordPlaces {
  /** Holds a directory for each object. */
  directory: string;
  /** The record's file in it. */
  name: string;
  /** Where damaged records go. Made when it is needed. */
  damaged: string;
}

/**
 * Records as `directory/ID/NAME`. They are written whole by rename and not synced: what they speak of does not outlive a
 * power loss either.
 */
export class RecordFiles<R extends { version: number; id: string }> {
  /** `check` throws where what was read is no record. */
  constructor(
    private readonly places: RecordPlaces,
    private readonly check: (value: Record<string, unknown>) => R,
  ) {}

  write(record: R): void {
    writeFileAtomically(this.fileOf(record.id), JSON.stringify(record));
  }

  /** Reads all of them. A damaged one is set aside, so that it can be looked at when its object is gone. */
  load(): LoadedRecords<R> {
    const loaded: LoadedRecords<R> = { records: [], orphans: [] };
    for (const id of fs.readdirSync(this.places.directory)) {
      if (!/^[0-9a-f]{64}$/.test(id)) continue;
      try {
        loaded.records.push(this.read(id));
      } catch (error) {
        const reason = messageOf(error);
        loaded.orphans.push({ id, reason, ...(errnoOf(error) !== "ENOENT" && { setAside: this.setAside(id) }) });
      }
    }
    return loaded;
  }

  private read(id: string): R {
    const file = this.fileOf(id);
    const { size } = fs.statSync(file);
    if (size > recordLimitBytes) throw new Error(`it has ${size} bytes, more than ${recordLimitBytes}`);
    const value = checkObject(JSON.parse(fs.readFileSync(file, "utf8")));
    const { version } = value;
    if (typeof version !== "number") throw new Error("it has no version");
    if (version > recordVersion) throw new Error(`written by a newer Berth (format ${version})`);
    if (value["id"] !== id) throw new Error("names another object");
    checkDepth(value);
    return this.check(value);
  }

  private setAside(id: string): string {
    const { damaged, name } = this.places;
    const aside = path.join(damaged, `${id}.${name}`);
    fs.mkdirSync(damaged, { recursive: true, mode: 0o700 });
    fs.rmSync(aside, { recursive: true, force: true });
    fs.renameSync(this.fileOf(id), aside);
    return aside;
  }

  private fileOf(id: string): string {
    return path.join(this.places.directory, id, this.places.name);
  }
}
