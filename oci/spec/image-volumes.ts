import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { BerthError, messageOf } from "../../api/errors";
import { outerRoot } from "../../sys/id-mapping";
import { directoryInRoot, resolveTextInRoot } from "../../sys/rooted-path";
import type { SpecMount } from "../runtime-spec";
import { checkAbsolutePath, checkCount, invalid, quote } from "./check-text";
import type { SpecInput } from "./input";

const run = promisify(execFile);
const copyTimeoutMs = 120_000;
/** Where a directory of the host would hide what the kernel or the runtime puts there. */
const reserved = /^\/(|proc(\/.*)?|sys(\/.*)?|dev)$/;

/**
 * The image's `Volumes` as mounts of directories of their own below `volumesDir`, each with what the image has there:
 * its content, owner and mode. A volume that the request mounts something on is left out. Paths are resolved within
 * the root filesystem (CVE-2022-23648); nothing may run in it yet. Throws InvalidArgument, ResourceExhausted, Internal.
 */
export async function imageVolumes(
  input: Pick<SpecInput, "image" | "rootfsPath" | "volumesDir" | "sandbox">,
  taken: ReadonlySet<string>,
): Promise<SpecMount[]> {
  const declared = Object.keys(input.image.config.Volumes ?? {});
  checkCount("volumes of the image", declared, 1024);
  const owner = outerRoot(input.sandbox.namespaces.user);
  const mounts: SpecMount[] = [];
  for (const destination of new Set(declared.map(normalise))) {
    if (taken.has(destination)) continue;
    if (reserved.test(resolveTextInRoot(input.rootfsPath, destination))) {
      throw invalid(`the image's volume ${quote(destination)} would cover a directory that the system needs`);
    }
    const name = createHash("sha256").update(destination).digest("hex").slice(0, 32);
    const source = path.join(input.volumesDir, name);
    await fill(source, directoryInRoot(input.rootfsPath, destination), owner);
    mounts.push({ destination, type: "bind", source, options: ["rbind", "rprivate", "rw"] });
  }
  return mounts;
}

const normalise = (volume: string) =>
  path.posix.join("/", checkAbsolutePath("the image's volume", path.posix.join("/", volume))).replace(/(.)\/$/, "$1");

async function fill(source: string, original: string | undefined, owner: { uid: number; gid: number }): Promise<void> {
  await fs.mkdir(source, { recursive: true, mode: 0o700 });
  if (original === undefined) {
    await fs.chmod(source, 0o755);
    await fs.chown(source, owner.uid, owner.gid);
    return;
  }
  // cp keeps links, devices, xattrs and times as they are, opens no FIFO and holds up nobody while it is at it
  if ((await fs.readdir(original)).length > 0) await copyTree(original, source);
  const stat = await fs.stat(original);
  await fs.chown(source, stat.uid, stat.gid);
  await fs.chmod(source, stat.mode & 0o7777);
}

async function copyTree(from: string, to: string): Promise<void> {
  try {
    await run("cp", ["-a", "--", `${from}/.`, to], { timeout: copyTimeoutMs, maxBuffer: 65536 });
  } catch (cause) {
    const text = messageOf(cause);
    const full = /No space left|quota exceeded/i.test(text);
    throw new BerthError(full ? "ResourceExhausted" : "Internal", `copying the image's volume to ${to}: ${text}`, {
      cause,
    });
  }
}
