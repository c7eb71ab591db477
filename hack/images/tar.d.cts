export interface TarEntry {
  path: string;
  /** Where absent: a symlink if there is a target, else a file. */
  type?: "file" | "dir" | "symlink" | "hardlink" | "char" | "block" | "fifo";
  mode?: number;
  uid?: number;
  gid?: number;
  /** Seconds since the epoch, which may have a fraction or be negative. */
  mtime?: number;
  body?: Uint8Array | string;
  /** What a symlink or hard link points to. */
  target?: string;
  major?: number;
  minor?: number;
  xattrs?: Record<string, Uint8Array | string>;
}
/** A tar archive of the entries in their order. */
export function tar(entries: Iterable<TarEntry>): Buffer;
