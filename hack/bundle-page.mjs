import fs from "node:fs";
import path from "node:path";
import { build } from "esbuild";

const source = "cri/page/browser";

/** Puts the page of `berth ui` into the directory `page` below `outdir`. */
export async function bundlePage(outdir) {
  const page = path.join(outdir, "page");
  await build({
    entryPoints: { page: path.join(source, "page.ts") },
    outdir: page,
    bundle: true,
    target: "es2022",
    minify: true,
    logLevel: "warning",
  });
  for (const name of ["index.html", "page.css"]) fs.copyFileSync(path.join(source, name), path.join(page, name));
}
