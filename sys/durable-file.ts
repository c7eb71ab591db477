import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

/** Marks files that are being written; one found at start is from a crash and goes. */
export const temporaryMark = ".tmp-";

export interface WriteOptions {
  /** Permission bits of the file. */
  mode?: number;
  /** Wait until the disk has it. Off for what a reboot may forget. */
  sync?: boolean;
}

/**
 * Puts `data` at `file` whole or not at all: a reader sees the old or the new content. With `sync` (the default) it
 * outlives a power loss once this returns. What was there is replaced.
 */
export async function writeFileDurably(
  file: string,
  data: string | Uint8Array,
  options: WriteOptions = {},
): Promise<void> {
  const temporary = `${file}${temporaryMark}${randomBytes(6).toString("hex")}`;
  const sync = options.sync ?? true;
  try {
    const handle = await fs.promises.open(temporary, "wx", options.mode ?? 0o600);
    try {
      await handle.writeFile(data);
      if (sync) await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.promises.rename(temporary, file);
  } catch (error) {
    await fs.promises.rm(temporary, { force: true });
    throw withPath(error, file);
  }
  if (sync) await syncDirectory(path.dirname(file));
}

/** The same without waiting for the loop: for small files on a tmpfs, where it takes some 30 µs. */
export function writeFileAtomically(file: string, data: string | Uint8Array, mode = 0o600): void {
  const temporary = `${file}${temporaryMark}${randomBytes(6).toString("hex")}`;
  try {
    fs.writeFileSync(temporary, data, { mode, flag: "wx" });
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw withPath(error, file);
  }
}

/** Node's errors of a write by descriptor tell of no file. */
export function withPath(error: unknown, file: string): unknown {
  const failure = error as NodeJS.ErrnoException;
  if (error instanceof Error && failure.syscall !== undefined && failure.path === undefined) {
    failure.path = file;
    failure.message += ` '${file}'`;
  }
  return error;
}

/** Makes renames and removals in `directory` outlive a power loss. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await fs.promises.open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what a crash has left half written in `directory`. Returns the names. */
export function removeTemporaries(directory: string): string[] {
  const left = fs.readdirSync(directory).filter((name) => name.includes(temporaryMark));
  for (const name of left) fs.rmSync(path.join(directory, name), { recursive: true, force: true });
  return left;
}
