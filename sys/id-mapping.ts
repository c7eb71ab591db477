import type { IDMapping } from "../api/messages";

/** A user namespace that a file holds, and how it maps. */
export interface UserNamespace {
  /** A file that holds the namespace. */
  path: string;
  uids: readonly IDMapping[];
  gids: readonly IDMapping[];
}

/** What an ID of the user namespace is outside; undefined where it is not mapped. */
export function outerId(mappings: readonly IDMapping[], id: number): number | undefined {
  const line = mappings.find(({ containerId, length }) => id >= containerId && id - containerId < length);
  return line && line.hostId + (id - line.containerId);
}

/** The owner, outside, of what belongs to root inside; root where there is no user namespace. */
export function outerRoot(namespace: Pick<UserNamespace, "uids" | "gids"> | undefined): { uid: number; gid: number } {
  return { uid: outerId(namespace?.uids ?? [], 0) ?? 0, gid: outerId(namespace?.gids ?? [], 0) ?? 0 };
}

/** The lines of /proc/PID/uid_map or gid_map (user_namespaces(7)). */
export const mapLines = (mappings: readonly IDMapping[]): string =>
  mappings.map(({ containerId, hostId, length }) => `${containerId} ${hostId} ${length}\n`).join("");
