#!/usr/bin/env node
// Looks at what the lock file has us install: each package has its hash, comes from the registry, and runs no script that
// we have not read. Then asks npm for known vulnerabilities of what the release contains; a registry that does not answer
// that is told of and is no failure.
// usage: hack/check-dependencies.mjs [--offline]
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

/**
 * Packages that have an install script, and what it would do. None of them runs: everything is installed with
 * --ignore-scripts (hack/setup.sh), and what is not needed is not in the release.
 */
const scriptsRead = {
  koffi: "fetches or compiles its native part where none is there; ours comes as @koromix/koffi-linux-*",
  protobufjs: "warns of a version scheme",
  esbuild: "fetches the binary where its package for the platform was left out; only builds",
  "@parcel/watcher": "compiles it where none is there; only jest's watch mode uses it",
};

const { packages } = JSON.parse(fs.readFileSync("package-lock.json", "utf8"));
const problems = [];
const seen = new Set();
for (const [place, locked] of Object.entries(packages)) {
  if (place === "") continue;
  const name = place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);
  if (!/^sha512-[A-Za-z0-9+/]{86}==$/.test(locked.integrity ?? "")) problems.push(`${place} has no SHA-512`);
  if (locked.resolved && !locked.resolved.startsWith("https://"))
    problems.push(`${place} comes from ${locked.resolved}`);
  if (!locked.hasInstallScript) continue;
  seen.add(name);
  if (!Object.hasOwn(scriptsRead, name)) {
    problems.push(
      `${place} has an install script that nobody has read: see what it does, and say so in hack/check-dependencies.mjs`,
    );
  }
}
for (const name of Object.keys(scriptsRead))
  if (!seen.has(name)) problems.push(`${name} has no install script any more`);

const installs = /\bnpm (install|ci)\b/;
for (const file of ["hack/setup.sh"]) {
  const lines = fs
    .readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => installs.test(line) && !/^\s*(#|say )/.test(line));
  if (lines.some((line) => !line.includes("--ignore-scripts"))) problems.push(`${file} runs install scripts`);
}
for (const problem of problems) console.error(`check-dependencies: ${problem}`);

if (!process.argv.includes("--offline")) {
  const { stdout } = spawnSync("npm", ["audit", "--omit=dev", "--json"], { encoding: "utf8", timeout: 60_000 });
  const report = parse(stdout);
  const counts = report?.metadata?.vulnerabilities;
  if (counts?.total > 0) {
    problems.push("vulnerabilities");
    console.error(
      `check-dependencies: npm audit: ${Object.keys(report.vulnerabilities).join(", ")}: ${JSON.stringify(counts)}`,
    );
  } else if (counts) console.log("npm audit: no known vulnerability in what the release contains");
  else console.log(`npm audit was not possible: ${report?.message ?? "npm gave no answer"}`);
}
if (problems.length > 0) process.exit(1);
console.log(
  `${Object.keys(packages).length - 1} packages: each with its SHA-512, and no script that has not been read`,
);

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
