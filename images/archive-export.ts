import { createHash } from "node:crypto";
import fs from "node:fs";
import { BerthError, messageOf } from "../api/errors";
import { type Digest, hexOf } from "../api/ids";
import { duringAtAskedPath, isPathFault } from "../sys/asked-path";
import { diskError } from "./disk-error";
import { maxManifestBytes } from "./manifest";
import type { BlobStore, ImageManifest } from "./types";

const blockBytes = 512;
const blobPath = (digest: Digest) => `blobs/sha256/${hexOf(digest)}`;

/**
 * Writes an image to `file`, a tar that is both an OCI layout and what `docker load` takes, so that `skopeo copy` reads
 * it as oci-archive: and as docker-archive:. The same image gives the same bytes. `manifest` is the image's own. What is
 * at `file` is replaced when all is written. Throws NotFound where a blob is gone, ResourceExhausted on a full disk.
 */
export async function exportArchive(
  file: string,
  image: { manifest: ImageManifest; names: readonly string[] },
  store: BlobStore,
): Promise<void> {
  const temporary = `${file}.partial-${process.pid}`;
  try {
    // to put a file in the place of a device would be the end of that device
    const there = fs.lstatSync(file, { throwIfNoEntry: false });
    if (there && !there.isFile()) throw new BerthError("InvalidArgument", `${file} is no regular file`);
    const out = await fs.promises.open(temporary, "wx", 0o600);
    try {
      for await (const bytes of archiveOf(image, store)) await out.writeFile(bytes);
      await out.sync();
    } finally {
      await out.close();
    }
    await fs.promises.rename(temporary, file);
  } catch (error) {
    await fs.promises.rm(temporary, { force: true }).catch(() => {});
    if (error instanceof BerthError) throw error;
    throw isPathFault(error) ? duringAtAskedPath(`writing ${file}`, error) : diskError(file, error);
  }
}

async function* archiveOf(
  { manifest, names }: { manifest: ImageManifest; names: readonly string[] },
  store: BlobStore,
): AsyncGenerator<Uint8Array> {
  const body = await store.read(manifest.digest, maxManifestBytes);
  const { mediaType, digest, config, layers } = manifest;
  // one entry for each name: readers take the first annotation alone
  const entries = (names.length > 0 ? names : [undefined]).map((name) => ({
    mediaType,
    digest,
    size: body.length,
    ...(name && {
      annotations: { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": tagOf(name) },
    }),
  }));
  yield* textMember("oci-layout", { imageLayoutVersion: "1.0.0" });
  const type = "application/vnd.oci.image.index.v1+json";
  yield* textMember("index.json", { schemaVersion: 2, mediaType: type, manifests: entries });
  yield* textMember("manifest.json", [
    { Config: blobPath(config.digest), RepoTags: names, Layers: layers.map((layer) => blobPath(layer.digest)) },
  ]);
  for (const blob of new Set([digest, config.digest, ...layers.map((layer) => layer.digest)])) {
    yield* blobMember(blob, store.pathOf(blob));
  }
  yield Buffer.alloc(2 * blockBytes);
}

/** The tag of a normalised name, as skopeo wants it after a path. */
const tagOf = (name: string) => name.slice(name.lastIndexOf(":") + 1);

function* textMember(name: string, value: unknown): Generator<Uint8Array> {
  const body = Buffer.from(JSON.stringify(value));
  yield header(name, body.length);
  yield body;
  yield padding(body.length);
}

async function* blobMember(digest: Digest, file: string): AsyncGenerator<Uint8Array> {
  const handle = await fs.promises.open(file, "r").catch((error) => {
    throw new BerthError("NotFound", `blob ${digest} of the image is gone: ${messageOf(error)}`, {
      hint: "pull the image again",
    });
  });
  try {
    const { size } = await handle.stat();
    yield header(blobPath(digest), size);
    const hash = createHash("sha256");
    let total = 0;
    for await (const chunk of handle.createReadStream({ autoClose: false, end: size - 1 })) {
      hash.update(chunk as Buffer);
      total += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
    if (total !== size || `sha256:${hash.digest("hex")}` !== digest) {
      throw new BerthError("FailedPrecondition", `blob ${digest} is damaged on disk`, { hint: "pull the image again" });
    }
    yield padding(size);
  } finally {
    await handle.close();
  }
}

const padding = (sizeBytes: number) => Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);

/** A ustar header for a file; from 8 GiB on its size is in base 256. */
function header(name: string, sizeBytes: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  block.write(name, 0, "latin1");
  block.write("0000644\u00000000000\u00000000000\0", 100, "latin1");
  if (sizeBytes < 8 ** 11) block.write(`${sizeBytes.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  block.write("00000000000\0        0", 136, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
