import { check, declare } from "./libc";

const mknod = declare("int mknod(const char *path, unsigned int mode, unsigned long device)");
const typeBits = { character: 0o020000, block: 0o060000, fifo: 0o010000 };

export interface DeviceNode {
  type: keyof typeof typeBits;
  major: number;
  minor: number;
}

/** makedev(3): twelve bits of the major and twenty of the minor number, interleaved. */
export function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12);
}

/**
 * Makes a device node or FIFO at `path` with mode 0600, whatever the umask (a Buffer ends with NUL). Throws Internal
 * with the errno, EEXIST where something is there.
 */
export function makeDeviceNode(path: string | Buffer, { type, major, minor }: DeviceNode): void {
  const device = type === "fifo" ? 0 : deviceNumber(major, minor) >>> 0;
  check(mknod(path, typeBits[type] | 0o600, device), "mknod", printable(path));
}

/** Marks `path` as removed for overlayfs (Documentation/filesystems/overlayfs.rst, whiteouts). */
export function makeWhiteout(path: string | Buffer): void {
  check(mknod(path, typeBits.character, 0), "mknod", printable(path));
}

const printable = (path: string | Buffer) =>
  typeof path === "string" ? path : path.toString("utf8", 0, path.length - 1);
