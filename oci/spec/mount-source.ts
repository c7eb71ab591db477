import fs from "node:fs/promises";
import { BerthError } from "../../api/errors";
import { errnoOf } from "../../sys/libc";
import { type MountEntry, mountOf } from "../../sys/mount-info";
import { checkAbsolutePath, invalid, quote } from "./check-text";

/**
 * The real path of a host path that is to be mounted: links are followed, and a directory is made where there is
 * nothing, as the peers do. Throws InvalidArgument for what cannot be a source, FailedPrecondition where the host
 * refuses to look.
 */
export async function mountSource(hostPath: string): Promise<string> {
  checkAbsolutePath("the host path of a mount", hostPath);
  try {
    return await fs.realpath(hostPath);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw unusable(hostPath, error);
  }
  try {
    await fs.mkdir(hostPath, { recursive: true, mode: 0o755 });
    return await fs.realpath(hostPath);
  } catch (error) {
    // full disks keep their own code
    if (errnoOf(error) === "ENOSPC" || errnoOf(error) === "EDQUOT") throw error;
    throw unusable(hostPath, error);
  }
}

const unusable = (hostPath: string, cause: unknown) =>
  new BerthError("FailedPrecondition", `the host path ${quote(hostPath)} of a mount: ${errnoOf(cause) ?? cause}`, {
    cause,
  });

/** Throws InvalidArgument unless what is mounted below `source` later will reach the container, and come back too. */
export function checkShared(source: string, direction: "both" | "toContainer", mounts: MountEntry[]): void {
  const entry = mountOf(source, mounts);
  const kinds = direction === "both" ? ["shared:"] : ["shared:", "master:"];
  if (entry?.propagation.some((field) => kinds.some((kind) => field.startsWith(kind)))) return;
  const wanted = direction === "both" ? "a shared mount" : "a shared or slave mount";
  throw invalid(`path ${quote(source)} is mounted on ${quote(entry?.mountPoint ?? "/")} but it is not ${wanted}`);
}
