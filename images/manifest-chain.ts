import { BerthError, codeOf } from "../api/errors";
import type { Digest } from "../api/ids";
import { maxManifestBytes, parseManifest } from "./manifest";
import { choosePlatform, runnablePlatforms, thisMachine } from "./platform";
import type { RegistryClient } from "./registry-client";
import type { BlobStore, Descriptor, ImageManifest } from "./types";

// an index in an index is rare, and more within are a trap
const maxIndexes = 3;

/**
 * From what the reference stands for, through indexes, to the manifest of this machine; all of them are put into the
 * store, and what is there already is not fetched. Throws as the client and parseManifest() do, and NotFound where
 * there is nothing for this platform.
 */
export async function fetchManifests(
  client: Pick<RegistryClient, "resolve" | "fetchManifest">,
  store: BlobStore,
): Promise<{ topDigest: Digest; manifest: ImageManifest }> {
  const resolved = await client.resolve();
  const topDigest = resolved.descriptor.digest;
  const runnable = runnablePlatforms(thisMachine());
  let descriptor = resolved.descriptor;
  let known = resolved.body;
  for (let indexes = 0; indexes <= maxIndexes; indexes++) {
    const body = known ?? (await readStored(store, descriptor)) ?? (await client.fetchManifest(descriptor));
    const document = parseManifest(body, descriptor.mediaType);
    await store.ingest(descriptor, once(body));
    if (document.kind === "manifest") return { topDigest, manifest: document.manifest };
    descriptor = choosePlatform(document.entries, runnable);
    known = undefined;
  }
  throw new BerthError("InvalidArgument", `index ${topDigest} is refused: more than ${maxIndexes} lie in one another`);
}

async function readStored(store: BlobStore, { digest }: Descriptor): Promise<Buffer | undefined> {
  return store.read(digest, maxManifestBytes).catch((error) => {
    if (codeOf(error) !== "NotFound") throw error;
    return undefined;
  });
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}
