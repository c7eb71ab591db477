// The node's file system: the machine's, with what a node writes kept in one directory. Called in a mount namespace of
// one's own, with which all of this goes.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

const mount = (...args) => execFileSync("mount", args, { stdio: ["ignore", "ignore", "pipe"] });

function makeDirectory(...parts) {
  const directory = path.join(...parts);
  fs.mkdirSync(directory, { recursive: true });
  return directory;
}

/** Shows a directory of the machine, and keeps what is written to it elsewhere. */
function overlay(point, directory) {
  const upper = makeDirectory(directory, "overlay", point, "upper");
  const work = makeDirectory(directory, "overlay", point, "work");
  mount("-t", "overlay", "-o", `lowerdir=${point},upperdir=${upper},workdir=${work}`, "overlay", point);
}

function bind(source, point) {
  fs.mkdirSync(point, { recursive: true });
  mount("--bind", source, point);
}

/** @param directory on a file system that can hold overlayfs's upper directories */
export function mountNode(directory) {
  // Volumes that pods mount for the node's eyes need a shared mount; its peers are in this namespace alone.
  mount("--make-rshared", "/");
  mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run");
  overlay("/etc", directory);
  overlay("/var/lib", directory);
  // Snapshots are overlays too, and an upper directory on an overlay is no good.
  for (const name of ["berth", "kubelet", "containerd", "cni"])
    bind(makeDirectory(directory, "lib", name), path.join("/var/lib", name));
  bind(makeDirectory(directory, "log"), "/var/log");
  makeDirectory("/run/tmp");
}
