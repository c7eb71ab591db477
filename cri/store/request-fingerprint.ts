import { createHash } from "node:crypto";
import type { ContainerConfig, Mount, PodSandboxConfig } from "../../api/messages";

/**
 * What two requests for a sandbox must have in common for the later to be a retry of the earlier. The order within maps
 * does not count: a client in Go sends them in another one each time.
 */
export const podFingerprint = (config: PodSandboxConfig, handler: string): string => digestOf([handler, config]);

/**
 * The same for a container. The kubelet mounts another file of the host for the termination message at each try, and
 * makes variables and devices from maps: so the host's side of mounts and the order of these lists do not count either.
 */
export function containerFingerprint(config: ContainerConfig): string {
  const { mounts, envs, devices, CDIDevices, ...rest } = config;
  const inside = mounts.map(({ hostPath: _hostPath, ...mount }: Mount) => mount);
  return digestOf([rest, ...[inside, envs, devices, CDIDevices].map(inAnyOrder)]);
}

const inAnyOrder = (list: unknown[]) => list.map((item) => JSON.stringify(canonical(item))).sort();

const digestOf = (value: unknown) =>
  createHash("sha256")
    .update(JSON.stringify(canonical(value)))
    .digest("base64");

/** A value that JSON can hold and that is the same for the same message, however its maps are ordered. */
function canonical(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(canonical);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, each]) => [key, canonical(each)] as const);
  return entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
