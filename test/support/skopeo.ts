import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/**
 * Runs skopeo and returns what it prints. What it learns of blobs it keeps in a directory that goes with the call: for root
 * that is /var/lib/containers whatever it is told, which would stay behind, so it is told that it was called by somebody else
 * (containers/image, internal/rootless: `_CONTAINERS_ROOTLESS_UID`).
 */
export function skopeo(...args: string[]): string {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), "berth-skopeo-"));
  try {
    return execFileSync("skopeo", ["--insecure-policy", ...args], {
      encoding: "utf8",
      env: { ...process.env, _CONTAINERS_ROOTLESS_UID: "65534", XDG_DATA_HOME: data },
      stdio: "pipe",
    });
  } finally {
    fs.rmSync(data, { recursive: true, force: true });
  }
}
