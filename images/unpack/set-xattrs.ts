import { errnoOf } from "../../sys/libc";
import { listXattrs, type PathArgument, removeXattr, setXattr } from "../../sys/xattr";

/** An image has no say in how layers are stacked, nor in the host's own labels and signatures. */
const isHosts = (name: string) =>
  name.startsWith("trusted.overlay.") ||
  name.startsWith("user.overlay.") ||
  name === "security.selinux" ||
  name === "security.evm";

/**
 * Sets an image's attributes on `path` itself; those that are the host's business are passed over, and so are those
 * that the file system does not take. File capabilities are never passed over. Throws Internal with the errno.
 */
export function setXattrs(path: PathArgument, xattrs: ReadonlyMap<string, Buffer>): void {
  for (const [name, value] of xattrs) {
    if (isHosts(name)) continue;
    try {
      setXattr(path, name, value);
    } catch (error) {
      const errno = errnoOf(error);
      // user.* on links and devices is EPERM
      const refused = errno === "ENOTSUP" || (errno === "EPERM" && name.startsWith("user."));
      if (!refused || name === "security.capability") throw error;
    }
  }
}

/** Takes off all attributes that setXattrs() could have set. */
export function clearXattrs(path: PathArgument): void {
  for (const name of listXattrs(path)) if (!isHosts(name)) removeXattr(path, name);
}
