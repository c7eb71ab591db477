import { check, declare } from "./libc";

const lsetxattr = declare(
  "int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)",
);
const lgetxattr = declare("long lgetxattr(const char *path, const char *name, void *value, size_t size)");
const llistxattr = declare("long llistxattr(const char *path, void *list, size_t size)");
const lremovexattr = declare("int lremovexattr(const char *path, const char *name)");

/** A file's name as Node knows it, or its bytes with a NUL at the end. */
export type PathArgument = string | Buffer;

/** The kernel's own bound of a value and of a list (XATTR_SIZE_MAX, XATTR_LIST_MAX). */
const largestBytes = 65_536;
let scratch: Buffer | undefined;

/** Names are byte strings, one character a byte, as the kernel has no encoding for them. */
const nameArgument = (name: string) => Buffer.from(`${name}\0`, "latin1");
const printable = (path: PathArgument) => (typeof path === "string" ? path : path.toString("utf8", 0, path.length - 1));

/** Sets an attribute of `path` itself, never of what a link leads to. Throws Internal with the errno. */
export function setXattr(path: PathArgument, name: string, value: Buffer): void {
  check(lsetxattr(path, nameArgument(name), value, value.length, 0), "lsetxattr", `${name} of ${printable(path)}`);
}

/** Throws Internal with the errno, ENODATA where the attribute is not there. */
export function getXattr(path: PathArgument, name: string): Buffer {
  scratch ??= Buffer.alloc(largestBytes);
  const read = lgetxattr(path, nameArgument(name), scratch, scratch.length);
  const length = check(read, "lgetxattr", `${name} of ${printable(path)}`);
  return Buffer.from(scratch.subarray(0, length));
}

/** The attributes' names, as byte strings; those of `trusted.` only to who has CAP_SYS_ADMIN. */
export function listXattrs(path: PathArgument): string[] {
  scratch ??= Buffer.alloc(largestBytes);
  const length = check(llistxattr(path, scratch, scratch.length), "llistxattr", printable(path));
  return scratch.toString("latin1", 0, length).split("\0").slice(0, -1);
}

/** Throws Internal with the errno, ENODATA where the attribute is not there. */
export function removeXattr(path: PathArgument, name: string): void {
  check(lremovexattr(path, nameArgument(name)), "lremovexattr", `${name} of ${printable(path)}`);
}
