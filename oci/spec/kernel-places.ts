import fs from "node:fs";
import path from "node:path";
import { invalid } from "./check-text";

/**
 * Throws InvalidArgument for a root filesystem in which a place of the kernel's is there and no directory. runc 1.1
 * mounts over what a link at /dev leads to inside, and then makes links of its own by way of it on the host.
 */
export function checkKernelPlaces(rootfsPath: string): void {
  for (const name of ["dev", "proc", "sys"]) {
    const stat = fs.lstatSync(path.join(rootfsPath, name), { throwIfNoEntry: false });
    if (stat && !stat.isDirectory())
      throw invalid(`the image's /${name} is ${stat.isSymbolicLink() ? "a link" : "no directory"}`);
  }
}
