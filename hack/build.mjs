#!/usr/bin/env node
// Bundles the daemon with its command line, the worker that unpacks layers, and the page of `berth ui` into dist/. koffi
// stays outside: it finds its compiled part beside itself.
import fs from "node:fs";
import { build } from "esbuild";

await build({
  entryPoints: { berth: "cri/cli/berth.ts", "unpack-worker": "images/unpack/worker.ts" },
  outdir: "dist",
  bundle: true,
  platform: "node",
  target: "node24",
  format: "cjs",
  external: ["koffi"],
  sourcemap: "linked",
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: "warning",
});

await build({
  entryPoints: { page: "cri/page/browser/page.ts" },
  outdir: "dist/page",
  bundle: true,
  target: "es2022",
  minify: true,
  logLevel: "warning",
});
for (const name of ["index.html", "page.css"]) fs.copyFileSync(`cri/page/browser/${name}`, `dist/page/${name}`);
