#!/usr/bin/env node
// Makes what an operator installs: for each architecture a tarball with its own Node.js, a Debian package, and the
// SHA-256 of both. The same commit gives the same bytes: files by name, owned by root, at the commit's time.
// usage: hack/release/release.mjs [--out DIRECTORY] [amd64|arm64]...
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGzip } from "node:zlib";
import { makeDebianPackage } from "./debian.mjs";
import { architectures, normalise, stage } from "./stage.mjs";

process.chdir(fileURLToPath(new URL("../..", import.meta.url)));
const { values, positionals } = parseArgs({ options: { out: { type: "string" } }, allowPositionals: true });
const wanted = positionals.length > 0 ? positionals : Object.keys(architectures);
const unknown = wanted.find((one) => !Object.hasOwn(architectures, one));
if (unknown) throw new Error(`no release for ${unknown}; there are ${Object.keys(architectures).join(" and ")}`);
const out = path.resolve(values.out ?? "build/release");
const { version } = JSON.parse(fs.readFileSync("package.json", "utf8"));

/** In seconds since 1970; https://reproducible-builds.org/docs/source-date-epoch/ */
const time = Number(
  process.env.SOURCE_DATE_EPOCH ?? execFileSync("git", ["log", "-1", "--format=%ct"], { encoding: "utf8" }),
);

/** Node's own zlib, which the lock file pins, packs: another gzip may give other bytes. */
async function makeTarball(directory, file) {
  const [parent, name] = [path.dirname(directory), path.basename(directory)];
  const owner = ["--owner=0", "--group=0", "--numeric-owner"];
  const tar = spawn("tar", ["-C", parent, "--sort=name", "--format=ustar", ...owner, "-cf", "-", name], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => tar.once("close", resolve));
  await pipeline(tar.stdout, createGzip({ level: 6 }), fs.createWriteStream(file));
  if ((await ended) !== 0) throw new Error(`tar failed to pack ${name}`);
}

/** In the form that `sha256sum --check` reads. */
function writeChecksum(file) {
  const hash = createHash("sha256").update(fs.readFileSync(file)).digest("hex");
  fs.writeFileSync(`${file}.sha256`, `${hash}  ${path.basename(file)}\n`);
  console.log(`${hash}  ${path.relative(process.cwd(), file)}  ${(fs.statSync(file).size / 2 ** 20).toFixed(1)} MiB`);
}

fs.mkdirSync(out, { recursive: true });
const work = fs.mkdtempSync(path.join(out, "work-"));
try {
  for (const architecture of wanted) {
    const directory = path.join(work, architecture, `berth-${version}`);
    await stage(directory, architecture, "build/release-packages");
    normalise(directory, time);
    const tarball = path.join(out, `berth-${version}-linux-${architecture}.tar.gz`);
    await makeTarball(directory, tarball);
    writeChecksum(tarball);

    const berth = [path.join(directory, "dist/berth.js"), "config", "default"];
    const configuration = execFileSync(process.execPath, berth, { encoding: "utf8" });
    const output = path.join(out, `berth_${version}_${architecture}.deb`);
    makeDebianPackage({ directory, version, architecture, configuration, time, output });
    writeChecksum(output);
  }
} finally {
  fs.rmSync(work, { recursive: true });
}
