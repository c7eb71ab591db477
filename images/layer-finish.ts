import fs from "node:fs";
import path from "node:path";
import { setFileTimes } from "../sys/file-times";
import { copyDirectoryMetadata } from "./directory-metadata";
import { exists, lookUp } from "./merged-lookup";
import type { Applied } from "./unpack/apply";
import { bytesOf, forFs, forSys } from "./unpack/byte-path";
import { NeedsParents } from "./unpack/directories";
import { shown } from "./unpack/tar-entry";

/**
 * What a layer that was unpacked alone still lacks: directories without an entry of their own get the looks that they
 * have in the layers below (`parents`, topmost first), and whiteouts that hide nothing go, as they would show. Throws
 * NeedsParents where such a directory is something else below. Changes the counts in `applied`.
 */
export async function finishAlone(diff: string, parents: readonly string[], applied: Applied): Promise<void> {
  const top = bytesOf(diff);
  const layers = parents.map(bytesOf);
  const found = new Map<string, string>();
  for (const directory of applied.implicit) {
    const below = await lookUp(layers, directory);
    if (below.kind === "other") throw new NeedsParents(`${shown(directory)} is no directory in the layers below`);
    if (below.kind === "directory") found.set(directory, below.at);
  }
  for (const whiteout of applied.whiteouts) {
    if (await exists(layers, whiteout)) continue;
    const file = `${top}/${whiteout}`;
    const directory = file.slice(0, file.lastIndexOf("/"));
    const { mtimeNs } = await fs.promises.lstat(forFs(directory), { bigint: true });
    await fs.promises.unlink(forFs(file));
    setFileTimes(forSys(directory), mtimeNs);
    applied.inodes--;
  }
  for (const [directory, from] of found) await copyDirectoryMetadata(from, `${top}/${directory}`);
}

/** The looks of the root of a stack, whose topmost layer is `topmost`, for what is to be mounted upon it. */
export const copyRootMetadata = (topmost: string, to: string) => copyDirectoryMetadata(bytesOf(topmost), bytesOf(to));

/** The directories of one layer in the store. */
export const layerPaths = (directory: string) => ({
  diff: path.join(directory, "diff"),
  /** Written when all else is on disk: a layer without it is not there. */
  meta: path.join(directory, "meta.json"),
  nextMeta: path.join(directory, "meta.json.next"),
  work: path.join(directory, "work"),
  merged: path.join(directory, "merged"),
});
