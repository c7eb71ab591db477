import { createHash } from "node:crypto";
import type { ChainId, Digest } from "../api/ids";

/** The chain ID of each layer of a stack, bottom first (OCI image spec, config.md#layer-chainid). */
export function chainIdsOf(diffIds: readonly Digest[]): ChainId[] {
  const chainIds: ChainId[] = [];
  for (const diffId of diffIds) {
    const below = chainIds.at(-1);
    const digest = below && createHash("sha256").update(`${below} ${diffId}`).digest("hex");
    chainIds.push(digest ? (`sha256:${digest}` as ChainId) : diffId);
  }
  return chainIds;
}
