import fs from "node:fs";

/** "/dev/sda" for 8:0; "8:0" where the kernel has no name for it. */
export function blockDeviceName(major: number, minor: number): string {
  try {
    const event = fs.readFileSync(`/sys/dev/block/${major}:${minor}/uevent`, "latin1");
    const name = /^DEVNAME=(.+)$/m.exec(event)?.[1];
    if (name) return `/dev/${name}`;
  } catch {
    // a device without a sysfs entry, such as an anonymous one of a file system
  }
  return `${major}:${minor}`;
}

/** The device under a path's file system, as blockDeviceName() has it. */
export function deviceUnder(path: string): string {
  const { dev } = fs.statSync(path, { bigint: true });
  // the encoding of gnu_dev_major() and gnu_dev_minor() in glibc's sysmacros.h
  const major = Number(((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn));
  const minor = Number((dev & 0xffn) | ((dev >> 12n) & ~0xffn));
  return blockDeviceName(major, minor);
}
