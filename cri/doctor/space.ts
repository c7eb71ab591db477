import fs from "node:fs";
import path from "node:path";
import { mountOf } from "../../sys/mount-info";
import { size } from "../cli/table";
import { type Finding, findings, type Node } from "./finding";

/** At 15 % the kubelet starts to remove images, by its defaults; at 5 % of inodes. */
const low = { bytes: 0.15, inodes: 0.05 };
const nearlyNone = { bytes: 0.03, inodes: 0.01 };

/** Bytes and inodes that are left, and what kind of file system it is. */
export function checkSpace({ config }: Node): Finding[] {
  const { list, ok, info, warning, error } = findings("space");
  for (const [name, directory] of [
    ["root", config.root],
    ["state", config.state],
  ] as const) {
    const existing = nearest(directory);
    const { bsize, blocks, bavail, files, ffree } = fs.statfsSync(existing);
    const bytes = blocks > 0 ? bavail / blocks : 1;
    const inodes = files > 0 ? ffree / files : 1;
    const told = `${name} ${directory}: ${size(bsize * bavail)} (${percent(bytes)}) and ${percent(inodes)} of inodes left`;
    const remedy = "make room: `berth gc --images` removes images that no container uses";
    if (bytes < nearlyNone.bytes || inodes < nearlyNone.inodes) error(told, remedy);
    else if (bytes < low.bytes || inodes < low.inodes) warning(told, remedy);
    else ok(told);
    const type = mountOf(fs.realpathSync(existing))?.type;
    if (name === "state" && type !== "tmpfs")
      info(`state lies on ${type}: a tmpfs (such as /run) is faster and empty after a reboot`);
    if (name === "root" && (type === "overlay" || type === "nfs" || type === "nfs4"))
      error(`root lies on ${type}, which overlayfs can't have its upper layer on`, "put root on ext4 or xfs");
  }
  return list;
}

const percent = (share: number) => `${Math.round(share * 100)} %`;

/** `directory`, or the closest above it that is there. */
function nearest(directory: string): string {
  return fs.existsSync(directory) ? directory : nearest(path.dirname(directory));
}
