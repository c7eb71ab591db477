import fs from "node:fs";
import { getXattr } from "../../sys/xattr";

/**
 * Paths inside a layer are byte strings, one character a byte: names need not be UTF-8, and a string is quicker to cut
 * and to look up than a Buffer. These turn them into what calls take.
 */
const ascii = /^[\x01-\x7f]*$/;

/** For Node's fs. */
export const forFs = (path: string): string | Buffer => (ascii.test(path) ? path : Buffer.from(path, "latin1"));

/** For calls of sys/, where a Buffer ends with NUL. */
export const forSys = (path: string): string | Buffer => (ascii.test(path) ? path : Buffer.from(`${path}\0`, "latin1"));

/** The byte string of a path as Node has it. */
export const bytesOf = (path: string) => (ascii.test(path) ? path : Buffer.from(path, "utf8").toString("latin1"));

/** The directory of a path without slashes at its ends; "" is the root, and its own parent. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

export const baseOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

export const joined = (directory: string, name: string) => (directory === "" ? name : `${directory}/${name}`);

/** A character device 0/0, overlayfs's sign that what lies below is gone. */
export const isWhiteout = (stats: { isCharacterDevice(): boolean; rdev: number | bigint }) =>
  stats.isCharacterDevice() && Number(stats.rdev) === 0;

/** The overlayfs attribute of a directory that hides what lies below it. */
export const opaqueXattr = "trusted.overlay.opaque";

/** Whether the directory at `path`, a byte string, hides what lies below it. */
export function isOpaque(path: string): boolean {
  try {
    return getXattr(forSys(path), opaqueXattr).toString("latin1") === "y";
  } catch {
    return false;
  }
}

/** Removes a file or a whole directory without following links; synchronous, for the confined worker. */
export function removeSync(path: string): void {
  const stats = fs.lstatSync(forFs(path), { throwIfNoEntry: false });
  if (!stats) return;
  if (!stats.isDirectory()) {
    fs.unlinkSync(forFs(path));
    return;
  }
  for (const name of fs.readdirSync(forFs(path), { encoding: "latin1" })) removeSync(`${path}/${name}`);
  fs.rmdirSync(forFs(path));
}
