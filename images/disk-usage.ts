import fs from "node:fs";

export interface DiskUsage {
  usedBytes: number;
  inodes: number;
}

const slash = Buffer.from("/");

/**
 * What a tree takes on disk, hard links counted once; links are not followed. What vanishes meanwhile is left out.
 */
export async function diskUsage(directory: string): Promise<DiskUsage> {
  const usage = { usedBytes: 0, inodes: 0 };
  const linked = new Set<number>();
  const pending = [Buffer.from(directory)];
  for (let path = pending.pop(); path; path = pending.pop()) {
    const stats = await fs.promises.lstat(path).catch(() => undefined);
    if (!stats) continue;
    if (!stats.isDirectory() && stats.nlink > 1) {
      if (linked.has(stats.ino)) continue;
      linked.add(stats.ino);
    }
    usage.usedBytes += stats.blocks * 512;
    usage.inodes++;
    if (!stats.isDirectory()) continue;
    const names = await fs.promises.readdir(path, { encoding: "buffer" }).catch(() => []);
    for (const name of names) pending.push(Buffer.concat([path, slash, name]));
  }
  return usage;
}
