import fs from "node:fs";

/** What others than root may do with a directory of the daemon's: pass through it on a path that they know, or nothing. */
type Mode = 0o711 | 0o700;

/** Makes a directory where it is missing, and takes from one that is there what goes beyond `mode`. */
export function makeDirectory(directory: string, mode: Mode): void {
  fs.mkdirSync(directory, { recursive: true, mode });
  const now = fs.statSync(directory).mode & 0o7777;
  if ((now & ~mode) !== 0) fs.chmodSync(directory, now & mode);
}

/**
 * Makes the directory of one pod or container, which nobody but root may enter: an image's set-user-ID programs and what
 * a container has written lie below (CVE-2021-41103). Root of a user namespace, whose group `owner` names, may pass.
 */
export function makeObjectDirectory(directory: string, owner: { gid: number }): void {
  fs.mkdirSync(directory, { mode: 0o700 });
  if (owner.gid === 0) return;
  fs.chownSync(directory, 0, owner.gid);
  fs.chmodSync(directory, 0o710);
}
