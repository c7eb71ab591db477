import fs from "node:fs";
import path from "node:path";
import type { IDMapping } from "../../api/messages";
import { outerRoot, type UserNamespace } from "../../sys/id-mapping";
import { specMappings } from "../spec/id-mappings";
import { pauseProgram } from "./pause-program";
import type { OciRuntime } from "./oci-runtime";

export interface HolderRequest {
  /** The sandbox's ID; the runtime knows the holder by it. */
  id: string;
  /** A directory for its bundle, to be made. */
  bundle: string;
  cgroupsPath: string;
  /** The sandbox's namespaces by file; absent ones are the host's. */
  namespaces: { net?: string; ipc?: string; uts?: string; user?: string };
  /** How the user namespace maps, where there is one. */
  userMappings?: Pick<UserNamespace, "uids" | "gids">;
}

/**
 * Runs process 1 of a pod that shares its PID namespace: the pause program, alone in a root of its own, without any
 * right, in the pod's namespaces and cgroup. Returns its number once it runs; `runtime.delete(id)` ends it.
 */
export async function runHolder(runtime: OciRuntime, request: HolderRequest): Promise<{ pid: number }> {
  const { id, bundle, namespaces, userMappings } = request;
  const rootfs = path.join(bundle, "rootfs");
  const root = outerRoot(userMappings);
  for (const name of ["proc", "dev"]) fs.mkdirSync(path.join(rootfs, name), { recursive: true, mode: 0o755 });
  // the runtime makes device nodes there as root of the user namespace
  for (const name of [".", "proc", "dev"]) fs.chownSync(path.join(rootfs, name), root.uid, root.gid);
  fs.writeFileSync(path.join(rootfs, "pause"), pauseProgram(), { mode: 0o755 });
  const shared = { user: namespaces.user, network: namespaces.net, ipc: namespaces.ipc, uts: namespaces.uts };
  const spec = {
    ociVersion: "1.0.2",
    root: { path: rootfs, readonly: true },
    process: {
      user: { uid: nobodyOf(userMappings?.uids), gid: nobodyOf(userMappings?.gids) },
      args: ["/pause"],
      env: [],
      cwd: "/",
      capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
      noNewPrivileges: true,
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
      // runc from 1.5 on opens the nodes that it makes, and the bundle may lie where none can be opened (nodev)
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "noexec", "mode=755", "size=64k"] },
    ],
    linux: {
      ...(userMappings && {
        uidMappings: specMappings(userMappings.uids),
        gidMappings: specMappings(userMappings.gids),
      }),
      cgroupsPath: request.cgroupsPath,
      namespaces: [
        { type: "pid" },
        { type: "mount" },
        ...Object.entries(shared).flatMap(([type, file]) => (file ? [{ type, path: file }] : [])),
      ],
      resources: { devices: [{ allow: false, access: "rwm" }] },
    },
  };
  fs.writeFileSync(path.join(bundle, "config.json"), JSON.stringify(spec), { mode: 0o600 });
  return { pid: await runtime.runDetached(id, bundle) };
}

/** The kernel's overflow ID, or what comes next to it where a user namespace has fewer. */
function nobodyOf(mappings: readonly IDMapping[] | undefined): number {
  const last = mappings?.[0] ? mappings[0].containerId + mappings[0].length - 1 : 65534;
  return Math.min(65534, last);
}
