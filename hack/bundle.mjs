import fs from "node:fs";
import path from "node:path";
import { build } from "esbuild";

/**
 * Bundles the daemon with its command line, the worker that unpacks layers, and the page of `berth ui` into a directory.
 * koffi stays outside: it finds its compiled part beside itself. `faults` builds in the switch by which a test makes a
 * step fail (sys/fault-points.ts). Returns the files of which something is in there.
 */
export async function bundle(outdir, { sourcemap, faults = false }) {
  const daemon = await build({
    entryPoints: { berth: "cri/cli/berth.ts", "unpack-worker": "images/unpack/worker.ts" },
    outdir,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    external: ["koffi"],
    define: { BERTH_FAULTS: String(faults) },
    sourcemap: sourcemap ? "linked" : false,
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: "warning",
    metafile: true,
  });
  const page = await build({
    entryPoints: { page: "cri/page/browser/page.ts" },
    outdir: path.join(outdir, "page"),
    bundle: true,
    target: "es2022",
    minify: true,
    logLevel: "warning",
    metafile: true,
  });
  for (const name of ["index.html", "page.css"])
    fs.copyFileSync(`cri/page/browser/${name}`, path.join(outdir, "page", name));
  return [daemon, page].flatMap(({ metafile }) => Object.keys(metafile.inputs));
}
