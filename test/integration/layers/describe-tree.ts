import { createHash } from "node:crypto";
import fs from "node:fs";
import { getXattr, listXattrs } from "../../../sys/xattr";

/**
 * Every file of a tree in words: type, mode, owner, size, content, link, device, which names are the same file, extended
 * attributes, time in ns. Times in `anyTime` are left out.
 */
export function describeTree(root: string, anyTime: readonly string[] = []): Record<string, string> {
  const described: Record<string, string> = {};
  const namesOf = new Map<bigint, string[]>();
  const walk = (path: string) => {
    const bytes = Buffer.from(`${root}/${path}`, "latin1");
    const stats = fs.lstatSync(bytes, { bigint: true });
    const words = [
      `mode=${stats.mode.toString(8)}`,
      `owner=${stats.uid}:${stats.gid}`,
      ...(anyTime.includes(path) ? [] : [`mtime=${stats.mtimeNs}`]),
    ];
    if (stats.isFile()) {
      words.push(`size=${stats.size}`, `sha256=${createHash("sha256").update(fs.readFileSync(bytes)).digest("hex")}`);
    }
    if (stats.isSymbolicLink()) words.push(`link=${fs.readlinkSync(bytes, { encoding: "latin1" })}`);
    if (stats.isCharacterDevice() || stats.isBlockDevice()) words.push(`device=${stats.rdev}`);
    if (!stats.isDirectory() && stats.nlink > 1n) {
      namesOf.set(stats.ino, [...(namesOf.get(stats.ino) ?? []), path]);
    }
    const withNul = Buffer.concat([bytes, Buffer.from([0])]);
    for (const name of listXattrs(withNul).sort()) {
      if (!name.startsWith("trusted.overlay.")) words.push(`${name}=${getXattr(withNul, name).toString("hex")}`);
    }
    described[path === "" ? "." : path] = words.join(" ");
    if (!stats.isDirectory()) return;
    for (const name of fs.readdirSync(bytes, { encoding: "latin1" }).sort())
      walk(path === "" ? name : `${path}/${name}`);
  };
  walk("");
  // not by the count of links: overlayfs also counts names that are hidden
  for (const names of namesOf.values()) {
    for (const name of names) if (names.length > 1) described[name] += ` same=${names[0]}`;
  }
  return described;
}
