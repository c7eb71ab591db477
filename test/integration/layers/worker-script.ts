import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

const root = path.resolve(__dirname, "../../..");

/** Bundles the unpacking worker as the build does, into build/. Remove the file when done. */
export function buildWorkerScript(): string {
  const out = path.join(root, "build", `test-unpack-worker-${process.pid}-${Date.now()}.js`);
  fs.mkdirSync(path.dirname(out), { recursive: true });
  execFileSync(path.join(root, "node_modules/.bin/esbuild"), [
    path.join(root, "images/unpack/worker.ts"),
    "--bundle",
    "--platform=node",
    "--target=node24",
    "--external:koffi",
    "--log-level=error",
    `--outfile=${out}`,
  ]);
  return out;
}
