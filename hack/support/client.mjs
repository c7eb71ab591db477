// The project's own CRI client for scripts, from its source as it is now.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { uniqueId } from "./unique.cjs";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

/** { Client, runExec }: see cri/client/client.ts and cri/streaming/exec-client.ts. */
export async function loadClient() {
  const file = path.join(PROJECT, "build", `client-${uniqueId()}.cjs`);
  const contents = `
    export { Client } from "./cri/client/client";
    export { runExec } from "./cri/streaming/exec-client";
  `;
  try {
    await build({
      stdin: { contents, resolveDir: PROJECT, loader: "ts" },
      outfile: file,
      bundle: true,
      platform: "node",
      target: "node24",
      format: "cjs",
      logLevel: "warning",
    });
    return createRequire(import.meta.url)(file);
  } finally {
    fs.rmSync(file, { force: true });
  }
}
