import { BerthError } from "../../api/errors";
import { type NamespaceOption, NamespaceMode, type PodSandboxConfig } from "../../api/messages";

export interface SandboxModes {
  hostNetwork: boolean;
  hostIpc: boolean;
  hostPid: boolean;
  /** The containers share one PID namespace, which a process must hold. */
  sharedPid: boolean;
}

/**
 * Who shares what in a pod. Without any namespace options each container has processes of its own, as in a pod that
 * says nothing of them.
 */
export function sandboxModes(config: PodSandboxConfig): SandboxModes {
  const options: NamespaceOption | null | undefined = config.linux?.securityContext?.namespaceOptions;
  return {
    hostNetwork: options?.network === NamespaceMode.NODE,
    hostIpc: options?.ipc === NamespaceMode.NODE,
    hostPid: options?.pid === NamespaceMode.NODE,
    sharedPid: options?.pid === NamespaceMode.POD,
  };
}

const modes = new Set<number>(Object.values(NamespaceMode));

/** Throws InvalidArgument for a mode that the API does not know. */
export function checkNamespaceModes(options: NamespaceOption | null | undefined): void {
  if (!options) return;
  for (const kind of ["network", "pid", "ipc"] as const) {
    if (!modes.has(options[kind])) {
      throw new BerthError("InvalidArgument", `the ${kind} namespace mode ${options[kind]} is unknown`);
    }
  }
}
