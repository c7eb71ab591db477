import { build } from "esbuild";

/**
 * Bundles the daemon with its command line, and the worker that unpacks layers, into a directory. koffi stays outside:
 * it finds its compiled part beside itself. Returns esbuild's metafile.
 */
export async function bundle(outdir, { sourcemap }) {
  const { metafile } = await build({
    entryPoints: { berth: "cri/cli/berth.ts", "unpack-worker": "images/unpack/worker.ts" },
    outdir,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    external: ["koffi"],
    sourcemap: sourcemap ? "linked" : false,
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: "warning",
    metafile: true,
  });
  return metafile;
}
