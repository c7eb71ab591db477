import path from "node:path";
import type { Sysctl } from "../../oci/spec/sysctls";
import type { UndoStack } from "../../sys/undo";
import type { Services } from "../services";
import type { SandboxRecord } from "../store/sandbox";
import type { SandboxModes } from "./namespace-modes";
import type { UserMappings } from "./user-namespace";

export interface PodNamespaces {
  /** Learns where they are held. */
  record: SandboxRecord;
  modes: SandboxModes;
  user: UserMappings | undefined;
  hostname: string;
  sysctls: Sysctl[];
  /** An existing directory, for a file each. */
  directory: string;
}

/**
 * Makes the namespaces that a pod does not share with the host, but for that of processes, which somebody has to live
 * in. With a user namespace that one owns the others, so that root in the pod has rights over them.
 */
export async function pinNamespaces({ namespaces }: Services, pod: PodNamespaces, undo: UndoStack): Promise<void> {
  const { record, modes, user, hostname, sysctls, directory } = pod;
  const promise = (type: "net" | "uts" | "ipc" | "user") => {
    const file = path.join(directory, type);
    undo.push(`the ${type} namespace`, () => namespaces.unpin(file));
    record.namespaces[type] = file;
  };
  if (user) {
    for (const type of ["user", "net", "ipc", "uts"] as const) promise(type);
    await namespaces.pinInUser({ directory, types: ["net", "ipc", "uts"], hostname, sysctls, ...user });
    return;
  }
  const types = [...(modes.hostNetwork ? [] : (["net", "uts"] as const)), ...(modes.hostIpc ? [] : (["ipc"] as const))];
  for (const type of types) promise(type);
  if (types.length > 0) namespaces.pin({ directory, types, hostname, sysctls });
}
