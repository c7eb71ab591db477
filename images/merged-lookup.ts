import fs from "node:fs";
import { forFs, isOpaque, isWhiteout } from "./unpack/byte-path";

/** What a path is in a stack of layers. */
export type Found =
  | { kind: "missing" }
  /** `at` is the topmost directory of those that are merged there, whose looks count. */
  | { kind: "directory"; at: string }
  /** A file, a link, a device: at the path, or on the way to it. */
  | { kind: "other" };

/**
 * Looks a path up in layers (topmost first, byte strings) without mounting them, by overlayfs's rules: the topmost
 * layer that has something decides, directories merge downwards, and whiteouts and opaque directories end the search.
 */
export async function lookUp(layers: readonly string[], path: string): Promise<Found> {
  const parts = path === "" ? [] : path.split("/");
  /** So many leading components are known to be directories of the merged tree. */
  let directories = 0;
  for (const layer of layers) {
    let here = layer;
    let depth = 0;
    let opaque = false;
    for (; depth < parts.length; depth++) {
      here = `${here}/${parts[depth]}`;
      const stats = await lstat(here);
      if (!stats) break;
      if (!stats.isDirectory()) {
        return isWhiteout(stats) || depth < directories ? { kind: "missing" } : { kind: "other" };
      }
      if (isOpaque(here)) opaque = true;
    }
    if (depth === parts.length) return { kind: "directory", at: here };
    if (opaque) return { kind: "missing" };
    directories = Math.max(directories, depth);
  }
  return { kind: "missing" };
}

/** Whether a path is anything at all there. */
export async function exists(layers: readonly string[], path: string): Promise<boolean> {
  const found = await lookUp(layers, path);
  if (found.kind !== "other") return found.kind === "directory";
  // something is on the way or at the end: it is at the end where the directory before it is one
  const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
  return (await lookUp(layers, parent)).kind === "directory";
}

async function lstat(path: string): Promise<fs.Stats | undefined> {
  try {
    return await fs.promises.lstat(forFs(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENAMETOOLONG") return undefined;
    throw error;
  }
}
