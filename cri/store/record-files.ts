import fs from "node:fs";
import path from "node:path";
import { messageOf } from "../../api/errors";
import { writeFileAtomically } from "../../sys/durable-file";

/** Every record starts with the version of its format; a newer one is refused, not guessed at. */
export const recordVersion = 1;

export interface LoadedRecords<R> {
  records: R[];
  /** Directories without a readable record: of operations that a crash has cut off, or damaged. */
  orphans: { id: string; reason: string }[];
}

/**
 * Records as `directory/ID/NAME.json`. They are written whole by rename and not synced: what they speak of does not
 * outlive a power loss either.
 */
export class RecordFiles<R extends { version: number; id: string }> {
  constructor(
    private readonly directory: string,
    private readonly name: string,
  ) {}

  write(record: R): void {
    writeFileAtomically(path.join(this.directory, record.id, this.name), JSON.stringify(record));
  }

  load(): LoadedRecords<R> {
    const loaded: LoadedRecords<R> = { records: [], orphans: [] };
    for (const id of fs.readdirSync(this.directory)) {
      if (!/^[0-9a-f]{64}$/.test(id)) continue;
      try {
        const record = JSON.parse(fs.readFileSync(path.join(this.directory, id, this.name), "utf8")) as R;
        if (record.version > recordVersion) throw new Error(`written by a newer Berth (format ${record.version})`);
        if (record.id !== id) throw new Error("names another object");
        loaded.records.push(record);
      } catch (error) {
        loaded.orphans.push({ id, reason: messageOf(error) });
      }
    }
    return loaded;
  }
}
