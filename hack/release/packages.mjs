import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

const locked = JSON.parse(fs.readFileSync("package-lock.json", "utf8")).packages;

/**
 * The directory of an npm package at the lock file's version: the installed one, else, for another platform's, one
 * fetched into `cache` whose hash is the lock file's.
 */
export function packageDirectory(name, cache) {
  const { version, integrity } = locked[`node_modules/${name}`];
  const installed = path.join("node_modules", name);
  if (versionIn(installed) === version) return installed;

  const directory = path.join(cache, `${name.replace("/", "-")}-${version}`);
  if (versionIn(directory) === version) return directory;
  fs.rmSync(directory, { recursive: true, force: true });
  fs.mkdirSync(cache, { recursive: true });
  const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", cache, `${name}@${version}`];
  const [{ filename }] = JSON.parse(execFileSync("npm", pack, { encoding: "utf8" }));
  const archive = path.join(cache, filename);
  const hash = `sha512-${createHash("sha512").update(fs.readFileSync(archive)).digest("base64")}`;
  if (hash !== integrity) throw new Error(`${name}@${version} has the hash ${hash}; the lock file says ${integrity}`);
  // A package is there once its directory is, so it gets its name last.
  const partial = fs.mkdtempSync(path.join(cache, "partial-"));
  execFileSync("tar", ["-C", partial, "--no-same-owner", "-xzf", archive]);
  fs.renameSync(path.join(partial, "package"), directory);
  fs.rmSync(partial, { recursive: true });
  fs.rmSync(archive);
  return directory;
}

function versionIn(directory) {
  try {
    return JSON.parse(fs.readFileSync(path.join(directory, "package.json"), "utf8")).version;
  } catch {
    return undefined;
  }
}
