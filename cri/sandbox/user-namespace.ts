import { BerthError } from "../../api/errors";
import { type IDMapping, NamespaceMode, type PodSandboxConfig } from "../../api/messages";
import type { UserNamespace } from "../../sys/id-mapping";
import type { Services } from "../services";
import type { Sandbox } from "../store/sandbox";
import type { SandboxModes } from "./namespace-modes";

export type UserMappings = Pick<UserNamespace, "uids" | "gids">;

/** The kernel's (uid_t) -1 is nobody's number, so the last one that can be mapped is one less. */
const endOfIds = 2 ** 32 - 1;

const invalid = (message: string) => new BerthError("InvalidArgument", message);

/**
 * How the user namespace that a pod asks for maps; undefined where it has the host's. Throws InvalidArgument for any
 * but one line of users and one of groups from 0 on, for modes other than POD and NODE, and beside namespaces of the
 * host, over which root of a user namespace has no right (KEP-127).
 */
export function userMappings(config: PodSandboxConfig, modes: SandboxModes): UserMappings | undefined {
  const options = config.linux?.securityContext?.namespaceOptions?.usernsOptions;
  if (!options) return undefined;
  const { mode, uids, gids } = options;
  if (mode === NamespaceMode.NODE) {
    if (uids.length + gids.length > 0) throw invalid("userns_options: the host's user namespace takes no mappings");
    return undefined;
  }
  if (mode !== NamespaceMode.POD) throw invalid(`userns_options: the mode ${mode} is neither POD nor NODE`);
  const shared = [modes.hostNetwork && "network", modes.hostPid && "PID", modes.hostIpc && "IPC"].filter(Boolean);
  if (shared.length > 0) {
    throw invalid(`a pod with a user namespace can't have the host's ${shared.join(", ")} namespace`);
  }
  checkMappings("uids", uids);
  checkMappings("gids", gids);
  return { uids, gids };
}

function checkMappings(field: string, mappings: IDMapping[]): void {
  const [line] = mappings;
  if (!line || mappings.length > 1) throw invalid(`userns_options.${field} has ${mappings.length} lines instead of 1`);
  if (line.containerId !== 0) throw invalid(`userns_options.${field} does not map the ID 0`);
  if (line.length === 0 || line.hostId + line.length > endOfIds) {
    throw invalid(`userns_options.${field}: ${line.length} IDs from ${line.hostId} on are no range of IDs`);
  }
}

/** The user namespace that a sandbox has; undefined for the host's. */
export function userNamespaceOf({ record, config }: Sandbox): UserNamespace | undefined {
  const path = record.namespaces.user;
  const options = config.linux?.securityContext?.namespaceOptions?.usernsOptions;
  return path && options ? { path, uids: options.uids, gids: options.gids } : undefined;
}

/** What keeps pods of a handler from user namespaces; undefined where nothing does. Throws InvalidArgument. */
export function userNamespaceObstacle(services: Services, handler: string): string | undefined {
  const { name, features } = services.runtimes.get(handler);
  if (services.noUserNamespaces !== undefined) return services.noUserNamespaces;
  if (features.idMappedMounts) return undefined;
  return `the runtime of handler "${name}" (version ${features.version}) cannot map the IDs of mounts`;
}

/** Throws FailedPrecondition where pods of a handler can have none. */
export function requireUserNamespaces(services: Services, handler: string): void {
  const obstacle = userNamespaceObstacle(services, handler);
  if (obstacle === undefined) return;
  throw new BerthError("FailedPrecondition", `the pod can't have a user namespace: ${obstacle}`, {
    hint: "Linux 5.19 or later, and runc 1.2 or crun 1.9 or later are needed",
  });
}
