import path from "node:path";
import type { FilesystemUsage, Init } from "../../api/messages";
import { nowNs } from "../clock";
import type { Services } from "../services";
import type { Container } from "../store/container";

/** Counting walks the whole tree, so an answer this old will do. */
const maxAgeMs = 60_000;
/** A walk that takes longer goes on, and the next question has its answer; this one goes without. */
const patienceMs = 1000;

/** Where what containers write lies, as ImageFsInfo has it. */
export const writableLayersPath = ({ config }: Pick<Services, "config">) => path.join(config.root, "snapshots");

/** What a container has written; null where it can't be told yet. */
export async function writableLayer(services: Services, container: Container): Promise<Init<FilesystemUsage> | null> {
  const usage = await Promise.race([
    services.images.snapshotUsage(container.id, maxAgeMs).catch(() => undefined),
    new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), patienceMs).unref()),
  ]);
  if (!usage) return null;
  return {
    timestamp: nowNs(),
    fsId: { mountpoint: writableLayersPath(services) },
    usedBytes: { value: BigInt(usage.usedBytes) },
    inodesUsed: { value: BigInt(usage.inodes) },
  };
}
