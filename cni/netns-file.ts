import fs from "node:fs";

// linux/magic.h NSFS_MAGIC
const nsfsMagic = 0x6e736673;

/**
 * `netnsPath` as DEL wants it: itself while it leads to a namespace, empty when that is gone (CNI spec 1.1.0, section
 * 2). A file whose mount was taken away is still there, but plugins fail on it.
 */
export async function presentNetns(netnsPath: string): Promise<string> {
  if (netnsPath === "") return "";
  const found = await fs.promises.statfs(netnsPath).catch(() => undefined);
  return found?.type === nsfsMagic ? netnsPath : "";
}
