import type { FilesystemUsage, Init } from "../../api/messages";
import { nowNs } from "../clock";
import type { Services } from "../services";
import type { Container } from "../store/container";

/** Counting walks the whole tree, so an answer this old will do. */
const maxAgeMs = 60_000;
/** A walk that takes longer goes on, and the next question has its answer; this one goes without. */
const patienceMs = 1000;

/** What a container has written; null where it can't be told yet. */
export async function writableLayer(services: Services, container: Container): Promise<Init<FilesystemUsage> | null> {
  const usage = await Promise.race([
    services.images.snapshotUsage(container.id, maxAgeMs).catch(() => undefined),
    new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), patienceMs).unref()),
  ]);
  if (!usage) return null;
  return {
    timestamp: nowNs(),
    // as ImageFsInfo has it: a file system is known to the kubelet by this path
    fsId: { mountpoint: services.config.root },
    usedBytes: { value: BigInt(usage.usedBytes) },
    inodesUsed: { value: BigInt(usage.inodes) },
  };
}
