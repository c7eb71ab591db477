#!/usr/bin/env node
// Bundles the daemon with its command line, the worker that unpacks layers, and the page of `berth ui` into dist/. koffi
// stays outside: it finds its compiled part beside itself.
import { build } from "esbuild";
import { bundlePage } from "./bundle-page.mjs";

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

await bundlePage("dist");
