import fs from "node:fs";
import path from "node:path";
import type { ContainerId, SandboxId } from "../../api/ids";
import type { OciRuntime } from "../../oci/runtime/oci-runtime";
import type { Services } from "../services";

interface HalfMade {
  id: ContainerId | SandboxId;
  bundle: string;
  /** Those that may have been asked to make it. */
  runtimes: OciRuntime[];
}

/**
 * Takes from the runtime a container or a pod's holder that was not made whole: whoever still makes it, its processes,
 * the runtime's record, and the cgroup, which a runtime leaves that could not make the container or was killed.
 */
export async function discardInRuntime({ cgroups }: Services, { id, bundle, runtimes }: HalfMade): Promise<void> {
  const cgroup = cgroupOf(bundle);
  for (const runtime of runtimes) await runtime.discard(id);
  if (!cgroup?.includes(id)) return;
  await cgroups.kill({ "": cgroup, pids: cgroup });
  cgroups.removeEmpty([cgroup]);
}

/** What the bundle's configuration asks for, as a path; undefined where it asks for none or systemd is to make it. */
function cgroupOf(bundle: string): string | undefined {
  try {
    const { linux } = JSON.parse(fs.readFileSync(path.join(bundle, "config.json"), "utf8"));
    const cgroup = linux?.cgroupsPath;
    return typeof cgroup === "string" && cgroup.startsWith("/") && !cgroup.includes("..") ? cgroup : undefined;
  } catch {
    return undefined; // nothing was asked of a runtime yet
  }
}
