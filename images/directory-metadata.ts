import fs from "node:fs";
import { setFileTimes } from "../sys/file-times";
import { getXattr, listXattrs } from "../sys/xattr";
import { forFs, forSys } from "./unpack/byte-path";
import { clearXattrs, setXattrs } from "./unpack/set-xattrs";

/**
 * Makes the directory `to` look like `from`: owner, mode, extended attributes (not those of overlayfs itself) and time
 * of change. Both are byte strings.
 */
export async function copyDirectoryMetadata(from: string, to: string): Promise<void> {
  const stats = await fs.promises.lstat(forFs(from), { bigint: true });
  await fs.promises.lchown(forFs(to), Number(stats.uid), Number(stats.gid));
  await fs.promises.chmod(forFs(to), Number(stats.mode & 0o7777n));
  const xattrs = new Map(listXattrs(forSys(from)).map((name) => [name, getXattr(forSys(from), name)]));
  clearXattrs(forSys(to));
  setXattrs(forSys(to), xattrs);
  setFileTimes(forSys(to), stats.mtimeNs);
}
