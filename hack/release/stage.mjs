import fs from "node:fs";
import path from "node:path";
import { bundle } from "../bundle.mjs";
import { licencesOf, packagesOf } from "./licences.mjs";
import { packageDirectory } from "./packages.mjs";

/** What npm's packages call an architecture, by Debian's name for it. */
export const architectures = { amd64: "x64", arm64: "arm64" };

/**
 * Lays a release out in `directory`: a checkout as it is after its build, less what only builds and tests need, so that
 * bin/berth is the same in both. `cache` keeps packages of other platforms.
 */
export async function stage(directory, architecture, cache) {
  const npmName = architectures[architecture];
  const bundled = await bundle(path.join(directory, "dist"), { sourcemap: false });
  const take = (from, to = from) => copy(from, path.join(directory, to));
  for (const one of ["bin/berth", "README.md", "manifests", ...documents()]) take(one);

  const node = `node-linux-${npmName}`;
  const native = `@koromix/koffi-linux-${npmName}`;
  const packages = Object.fromEntries([node, "koffi", native].map((name) => [name, packageDirectory(name, cache)]));
  const wanted = {
    [node]: ["package.json", "LICENSE", "bin/node"],
    koffi: ["package.json", "LICENSE.txt", "index.cjs", "src/koffi/index.cjs", "src/koffi/src/static.cjs"],
    [native]: ["package.json", "index.js", `linux_${npmName}/koffi.node`],
  };
  for (const [name, files] of Object.entries(wanted)) {
    for (const file of files) take(path.join(packages[name], file), path.join("node_modules", name, file));
  }
  const binaries = path.join(directory, "node_modules/.bin");
  fs.mkdirSync(binaries);
  fs.symlinkSync(`../${node}/bin/node`, path.join(binaries, "node"));

  for (const name of packagesOf(bundled)) packages[name] = path.join("node_modules", name);
  fs.writeFileSync(path.join(directory, "THIRD-PARTY-LICENCES.md"), licencesOf(packages));
}

const documents = () =>
  fs
    .readdirSync("docs")
    .filter((name) => !name.includes(".test."))
    .map((name) => `docs/${name}`);

function copy(from, to) {
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.cpSync(from, to, { recursive: true, dereference: true });
}

/** Modes that do not depend on whose umask it was, and one time for all, in seconds since 1970. */
export function normalise(directory, time) {
  for (const entry of fs.readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (!entry.isSymbolicLink()) {
      const executable = entry.isDirectory() || (fs.statSync(file).mode & 0o100) !== 0;
      fs.chmodSync(file, executable ? 0o755 : 0o644);
    }
    fs.lutimesSync(file, time, time);
  }
  fs.chmodSync(directory, 0o755);
  fs.utimesSync(directory, time, time);
}
