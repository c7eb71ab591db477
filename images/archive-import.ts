import fs from "node:fs";
import { BerthError } from "../api/errors";
import { type Digest, isDigest } from "../api/ids";
import { linkTarget, readArchive } from "./archive-reader";
import type { ContentStore } from "./content-store";
import { maxConfigBytes, parseImageConfig } from "./image-config";
import { isRecord, parseJsonObject } from "./json-object";
import { maxManifestBytes, parseManifest } from "./manifest";
import { choosePlatform, runnablePlatforms, thisMachine } from "./platform";
import { formatReference, parseReference } from "./reference";
import type { Descriptor, ImageConfig, ImageManifest } from "./types";
import { compressionOf, decompressed } from "./unpack/decompress";

/** An image whose blobs are in the store. */
export interface ImportedImage {
  manifest: ImageManifest;
  config: ImageConfig;
  /** Of what the name stands for: the manifest, or the index that it was chosen from. */
  topDigest: Digest;
  /** Normalised. */
  names: string[];
}

export interface ImportLimits {
  /** Members of the archive. */
  mostMembers: number;
  /** Bytes of one blob. */
  mostBlobBytes: number;
  /** The archive may have this many times the bytes of its file when it is decompressed. */
  mostRatio: number;
  /** However small its file, it may have so many bytes. */
  allowedBytes: number;
}

type Members = Map<string, { digest: Digest; size: number }>;

const defaultLimits: ImportLimits = {
  mostMembers: 20_000,
  mostBlobBytes: 64 * 2 ** 30,
  mostRatio: 200,
  allowedBytes: 1 << 30,
};
const maxIndexDepth = 3;
const manifestMediaType = "application/vnd.oci.image.manifest.v1+json";

/**
 * Takes in the images of an archive, plain or compressed: an OCI layout (image spec, image-layout.md), what `docker
 * save` writes, or both in one. Every member goes into the store as a blob; what no image needs is left to the garbage
 * collector. Names come from `name`, else from the archive. Throws InvalidArgument where the archive is neither, is
 * damaged or leads outside; ResourceExhausted where it is far larger than it looks; NotFound where `file` is not there.
 */
export async function importArchive(
  file: string,
  store: ContentStore,
  { name, limits = defaultLimits }: { name?: string; limits?: ImportLimits } = {},
): Promise<ImportedImage[]> {
  const handle = await fs.promises.open(file, "r").catch((cause) => {
    throw new BerthError("NotFound", `the archive ${file} cannot be read`, { cause });
  });
  try {
    if (!(await handle.stat()).isFile()) throw new BerthError("InvalidArgument", `${file} is not a file`);
    const archive = new Archive(await storeMembers(handle.fd, store, limits), store);
    const images = archive.has("index.json") ? await archive.ociImages() : await archive.dockerImages();
    if (images.length === 0) throw new BerthError("InvalidArgument", `${file} has no image in it`);
    if (name !== undefined) {
      if (images.length > 1) {
        throw new BerthError("InvalidArgument", `${file} has ${images.length} images: one name cannot be for all`);
      }
      images[0]!.names = [formatReference(parseReference(name))];
    }
    return images;
  } finally {
    await handle.close();
  }
}

async function storeMembers(fd: number, store: ContentStore, limits: ImportLimits): Promise<Members> {
  const members: Members = new Map();
  const links: [from: string, to: string][] = [];
  const mostBytes = Math.max(limits.allowedBytes, fs.fstatSync(fd).size * limits.mostRatio);
  for await (const { entry, body } of readArchive(bounded(decompressed(fd), mostBytes), limits.mostMembers)) {
    if (entry.type === "symlink" || entry.type === "hardlink") links.push([entry.path, linkTarget(entry)]);
    if (entry.type !== "file") continue;
    const stored = await storeMember(entry.path, entry.sizeBytes, { body, store, limits });
    members.set(entry.path, stored);
  }
  // docker save links a layer that it has twice
  for (const [from, to] of links) {
    const target = members.get(to);
    if (target) members.set(from, target);
  }
  return members;
}

async function* bounded(source: AsyncIterable<Buffer>, mostBytes: number): AsyncGenerator<Buffer> {
  let total = 0;
  for await (const bytes of source) {
    total += bytes.length;
    if (total > mostBytes) {
      throw new BerthError("ResourceExhausted", `the archive unpacks to more than ${mostBytes} bytes`, {
        hint: "its compressed size promises less; is it an archive that you trust?",
      });
    }
    yield bytes;
  }
}

async function storeMember(
  path: string,
  size: number,
  { body, store, limits }: { body: AsyncIterable<Buffer>; store: ContentStore; limits: ImportLimits },
): Promise<{ digest: Digest; size: number }> {
  const hex = /^blobs\/sha256\/([^/]+)$/.exec(path)?.[1];
  if (hex === undefined) return store.ingestUnnamed(body, limits.mostBlobBytes);
  const digest = `sha256:${hex}`;
  if (!isDigest(digest)) throw new BerthError("InvalidArgument", `${JSON.stringify(path)} is not named by a digest`);
  if (size > limits.mostBlobBytes) throw new BerthError("ResourceExhausted", `${path} has ${size} bytes`);
  await store.ingest({ mediaType: "application/octet-stream", digest, size }, body);
  return { digest, size };
}

/** What is found in an archive whose members are blobs of the store. */
class Archive {
  constructor(
    private readonly members: Members,
    private readonly store: ContentStore,
  ) {}

  has(path: string): boolean {
    return this.members.has(path);
  }

  async ociImages(): Promise<ImportedImage[]> {
    const index = parseJsonObject(await this.read("index.json", maxManifestBytes), "index.json");
    const document = parseManifest(Buffer.from(JSON.stringify(index)), "application/vnd.oci.image.index.v1+json");
    if (document.kind !== "index") throw new BerthError("InvalidArgument", "index.json is not an index");
    const tags = await this.repoTags();
    const images: ImportedImage[] = [];
    for (const entry of document.entries) {
      if (entry.annotations["vnd.docker.reference.type"] === "attestation-manifest") continue;
      const image = await this.imageOf(entry);
      const annotated =
        entry.annotations["io.containerd.image.name"] ?? entry.annotations["org.opencontainers.image.ref.name"];
      const names = [...(tags.get(image.manifest.config.digest) ?? [])];
      // a bare tag such as "latest" names no repository
      if (annotated !== undefined && /[/:]/.test(annotated)) names.unshift(annotated);
      images.push({ ...image, names: normalised(names) });
    }
    return joinSame(images);
  }

  async dockerImages(): Promise<ImportedImage[]> {
    const images: ImportedImage[] = [];
    for (const { config, layers, tags } of await this.dockerManifest()) {
      const manifest = await this.writeManifest(config, layers);
      const imageConfig = parseImageConfig(await this.store.read(manifest.config.digest, maxConfigBytes), manifest);
      images.push({ manifest, config: imageConfig, topDigest: manifest.digest, names: normalised(tags) });
    }
    return joinSame(images);
  }

  /** From an index's entry down to the manifest for this machine. */
  private async imageOf(entry: Descriptor): Promise<Omit<ImportedImage, "names">> {
    const runnable = runnablePlatforms(thisMachine());
    let descriptor = entry;
    for (let depth = 0; depth <= maxIndexDepth; depth++) {
      const document = parseManifest(await this.store.read(descriptor.digest, maxManifestBytes), descriptor.mediaType);
      if (document.kind === "manifest") {
        const { manifest } = document;
        const config = parseImageConfig(await this.store.read(manifest.config.digest, maxConfigBytes), manifest);
        for (const { digest } of manifest.layers) {
          if (!(await this.store.has(digest))) {
            throw new BerthError("InvalidArgument", `the archive lacks the layer ${digest}`);
          }
        }
        return { manifest, config, topDigest: entry.digest };
      }
      descriptor = choosePlatform(document.entries, runnable);
    }
    throw new BerthError("InvalidArgument", "the archive has too many indexes in one another");
  }

  /** Docker's archives have no manifest in the registry's sense: one is made, of the layers as they are stored. */
  private async writeManifest(configPath: string, layerPaths: string[]): Promise<ImageManifest> {
    const config: Descriptor = {
      mediaType: "application/vnd.oci.image.config.v1+json",
      ...this.member(configPath),
    };
    const layers: Descriptor[] = [];
    for (const path of layerPaths) {
      const { digest, size } = this.member(path);
      layers.push({ mediaType: await this.layerMediaType(digest), digest, size });
    }
    const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: manifestMediaType, config, layers }));
    await this.store.ingestUnnamed(once(body), maxManifestBytes);
    const document = parseManifest(body, manifestMediaType);
    if (document.kind !== "manifest") throw new BerthError("Internal", "the manifest made is none");
    return document.manifest;
  }

  private async layerMediaType(digest: Digest): Promise<string> {
    const handle = await fs.promises.open(this.store.pathOf(digest), "r");
    try {
      const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(8), position: 0 });
      const compression = compressionOf(buffer.subarray(0, bytesRead));
      return `application/vnd.oci.image.layer.v1.tar${compression === "none" ? "" : `+${compression}`}`;
    } finally {
      await handle.close();
    }
  }

  /** RepoTags by the digest of the configuration, where there is a manifest.json beside the index. */
  private async repoTags(): Promise<Map<Digest, string[]>> {
    const tags = new Map<Digest, string[]>();
    if (!this.has("manifest.json")) return tags;
    for (const image of await this.dockerManifest()) tags.set(this.member(image.config).digest, image.tags);
    return tags;
  }

  private async dockerManifest(): Promise<{ config: string; layers: string[]; tags: string[] }[]> {
    if (!this.has("manifest.json")) {
      throw new BerthError("InvalidArgument", "the archive has neither index.json nor manifest.json", {
        hint: 'make it with "docker save", "podman save" or "skopeo copy ... oci-archive:FILE"',
      });
    }
    const body = await this.read("manifest.json", maxManifestBytes);
    const images: unknown = parseJsonObject(Buffer.from(`{"images":${body.toString("utf8")}}`), "manifest.json")[
      "images"
    ];
    if (!Array.isArray(images)) throw new BerthError("InvalidArgument", "manifest.json is not a list");
    return images.map((image: unknown) => {
      const texts = (value: unknown): value is string[] =>
        Array.isArray(value) && value.every((text) => typeof text === "string");
      if (!isRecord(image) || typeof image["Config"] !== "string" || !texts(image["Layers"])) {
        throw new BerthError("InvalidArgument", "manifest.json has an image without Config or Layers");
      }
      const tags = image["RepoTags"] ?? [];
      if (!texts(tags)) throw new BerthError("InvalidArgument", "manifest.json has RepoTags that are no list of names");
      return { config: image["Config"], layers: image["Layers"], tags };
    });
  }

  private member(path: string): { digest: Digest; size: number } {
    const member = this.members.get(path);
    if (!member) throw new BerthError("InvalidArgument", `the archive has no ${JSON.stringify(path.slice(0, 200))}`);
    return member;
  }

  private read(path: string, limitBytes: number): Promise<Buffer> {
    return this.store.read(this.member(path).digest, limitBytes);
  }
}

const normalised = (names: string[]) => [...new Set(names.map((name) => formatReference(parseReference(name))))];

/** An index can list one image once for each of its names. */
function joinSame(images: ImportedImage[]): ImportedImage[] {
  const joined = new Map<Digest, ImportedImage>();
  for (const image of images) {
    const same = joined.get(image.manifest.digest);
    if (same) same.names = [...new Set([...same.names, ...image.names])];
    else joined.set(image.manifest.digest, image);
  }
  return [...joined.values()];
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}
