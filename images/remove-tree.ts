import fs from "node:fs";
import path from "node:path";
import { errnoOf } from "../sys/libc";

/** Directories whose path gets longer than this are first moved up. */
const deepestBytes = 2048;

/**
 * Removes a directory and all in it; links are not followed. A container can make trees deeper than any path is long:
 * what lies too deep is moved to the top and goes from there. Does nothing where `directory` is gone.
 */
export async function removeTree(directory: string): Promise<void> {
  for (;;) {
    try {
      await fs.promises.rm(directory, { recursive: true, force: true });
      return;
    } catch (error) {
      if (errnoOf(error) !== "ENAMETOOLONG") throw error;
      if (!(await raiseDeepest(directory))) throw error;
    }
  }
}

/** Moves each directory that lies too deep to the top of the tree. */
async function raiseDeepest(top: string): Promise<boolean> {
  let raised = 0;
  const pending = [Buffer.from(top)];
  for (let directory = pending.pop(); directory; directory = pending.pop()) {
    // a removal that failed elsewhere may still be under way here
    const entries = await fs.promises.readdir(directory, { withFileTypes: true, encoding: "buffer" }).catch(unlessGone);
    if (!entries) continue;
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const below = Buffer.concat([directory, Buffer.from("/"), entry.name]);
      if (below.length < deepestBytes) pending.push(below);
      else {
        await fs.promises
          .rename(below, path.join(top, `.raised-${process.pid}-${Date.now()}-${raised++}`))
          .catch(unlessGone);
      }
    }
  }
  return raised > 0;
}

function unlessGone(error: unknown): undefined {
  if (errnoOf(error) !== "ENOENT") throw error;
}
