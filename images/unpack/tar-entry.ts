import { BerthError } from "../../api/errors";

/** What a layer can hold; contiguous files are files. */
export type TarEntryType = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

/** One entry of an archive with everything that headers before it said; names are byte strings. */
export interface TarEntry {
  type: TarEntryType;
  /** Cleaned: no leading slash, no `.` or empty component, never `..`; empty for the root. */
  path: string;
  /** A symbolic link's target as it stands; a hard link's cleaned as `path` is. */
  link: string;
  mode: number;
  uid: number;
  gid: number;
  /** Of the file once written; 0 for what is no file. */
  sizeBytes: number;
  modifiedNs: bigint;
  deviceMajor: number;
  deviceMinor: number;
  /** Names are byte strings. */
  xattrs: Map<string, Buffer> | undefined;
}

/** Takes entries as they come; for a file, data() any number of times and then fileEnd(). */
export interface TarSink {
  entry(entry: TarEntry): void;
  /** Bytes at `offsetBytes` of the file; the buffer is reused after the call. */
  data(bytes: Buffer, offsetBytes: number): void;
  fileEnd(): void;
}

/** Longer names are refused: with a store's directory before it, a path must stay under PATH_MAX. */
export const longestPathBytes = 3072;

/** A name as it may appear in messages. */
export const shown = (name: string) => JSON.stringify(Buffer.from(name, "latin1").toString("utf8").slice(0, 200));

/** Cleans an entry's name. Throws InvalidArgument where it climbs, holds NUL or is too long. */
export function cleanPath(name: string): string {
  if (name.length > longestPathBytes) {
    throw new BerthError("InvalidArgument", `${shown(name)} is longer than ${longestPathBytes} bytes`);
  }
  if (name.includes("\0")) throw new BerthError("InvalidArgument", `${shown(name)} has a NUL in it`);
  if (isClean(name)) return name;
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new BerthError("InvalidArgument", `${shown(name)} leads out of the layer`);
  return parts.join("/");
}

/** Most names need no cleaning: every component starts with a character other than a dot and there is no `//`. */
function isClean(name: string): boolean {
  const slash = 0x2f;
  let before = slash;
  for (let index = 0; index < name.length; index++) {
    const character = name.charCodeAt(index);
    if (before === slash && (character === slash || character === 0x2e)) return false;
    before = character;
  }
  return before !== slash;
}
