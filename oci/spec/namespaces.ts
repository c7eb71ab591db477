import { BerthError } from "../../api/errors";
import { NamespaceMode, type UserNamespace } from "../../api/messages";
import type { SpecNamespace } from "../runtime-spec";
import { invalid } from "./check-text";
import { sameMappings } from "./id-mappings";
import type { SpecInput } from "./input";

/**
 * The namespaces of a container: its own mount namespace, the pod's network, IPC and UTS namespaces (the host's where
 * the pod has none), the PID namespace that it asks for, and a cgroup namespace on v2 unless it is privileged, as
 * Kubernetes' cgroup v2 KEP-2254 has it. Throws InvalidArgument, FailedPrecondition.
 */
export function specNamespaces(input: SpecInput): SpecNamespace[] {
  const { network, ipc, uts, user } = input.sandbox.namespaces;
  const options = input.config.linux?.securityContext?.namespaceOptions;
  checkUserNamespace(input, options?.usernsOptions ?? null);
  const privileged = input.config.linux?.securityContext?.privileged ?? false;
  return [
    { type: "mount" },
    ...joined("network", network),
    ...joined("ipc", options?.ipc === NamespaceMode.NODE ? undefined : ipc),
    ...joined("uts", uts),
    ...pidNamespace(input, options?.pid ?? NamespaceMode.POD),
    ...joined("user", user?.path),
    ...(input.cgroup.version === "v2" && !privileged ? [{ type: "cgroup" } as const] : []),
  ];
}

const joined = (type: SpecNamespace["type"], path: string | undefined): SpecNamespace[] =>
  path === undefined ? [] : [{ type, path }];

function pidNamespace(input: SpecInput, mode: number): SpecNamespace[] {
  switch (mode) {
    case NamespaceMode.CONTAINER:
      return [{ type: "pid" }];
    case NamespaceMode.NODE:
      return [];
    case NamespaceMode.TARGET:
      if (input.targetPidPath) return [{ type: "pid", path: input.targetPidPath }];
      throw new BerthError("FailedPrecondition", "the container whose PID namespace is to be joined does not run");
    case NamespaceMode.POD:
      return podPidNamespace(input);
    default:
      throw invalid(`the PID namespace mode ${mode} is unknown`);
  }
}

// POD is also what an absent option reads as, so a pod that shares no PID namespace decides for its containers
function podPidNamespace({ sandbox }: SpecInput): SpecNamespace[] {
  if (sandbox.namespaces.pid !== undefined) return [{ type: "pid", path: sandbox.namespaces.pid }];
  const podMode = sandbox.config.linux?.securityContext?.namespaceOptions?.pid;
  return podMode === NamespaceMode.NODE ? [] : [{ type: "pid" }];
}

/** Throws InvalidArgument where the container's user namespace is not the sandbox's. */
function checkUserNamespace({ sandbox }: SpecInput, options: UserNamespace | null): void {
  const own = sandbox.namespaces.user;
  const mode = options?.mode ?? NamespaceMode.NODE;
  if (mode !== NamespaceMode.POD && mode !== NamespaceMode.NODE) {
    throw invalid("a user namespace has the mode POD or NODE");
  }
  const wanted = mode === NamespaceMode.POD ? options : undefined;
  if (Boolean(own) !== Boolean(wanted)) throw invalid("the container's user namespace is not that of its sandbox");
  if (own && wanted && !(sameMappings(own.uids, wanted.uids) && sameMappings(own.gids, wanted.gids))) {
    throw invalid("the container's ID mappings are not those of its sandbox");
  }
}
