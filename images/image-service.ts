import { availableParallelism } from "node:os";
import path from "node:path";
import type { Config } from "../api/config/schema";
import { BerthError, codeOf, messageOf } from "../api/errors";
import type { ChainId, ContainerId, Digest, ImageId } from "../api/ids";
import type { UserNamespace } from "../sys/id-mapping";
import type { Mounts } from "../sys/mounts";
import { exportArchive } from "./archive-export";
import { importArchive } from "./archive-import";
import type { RetryPolicy } from "./back-off";
import { chainIdsOf } from "./chain-id";
import { ContentStore } from "./content-store";
import type { DiskUsage } from "./disk-usage";
import { type CollectedGarbage, ImageGc } from "./image-gc";
import { type ImageObserver, observedPull } from "./image-observer";
import { blobsOf, ImageStore } from "./image-store";
import { parseJsonObject } from "./json-object";
import { type Layer, LayerStore } from "./layer-store";
import { Leases } from "./leases";
import { maxManifestBytes, parseManifest } from "./manifest";
import { manifestMediaTypes } from "./media-types";
import { Puller, type PullRequest } from "./pull";
import { formatReference, parseReference, type Reference, repositoryName } from "./reference";
import { Snapshots } from "./snapshots";
import type { ImageConfig, ImageManifest, ImageRecord } from "./types";
import { Unpacker } from "./unpack/unpacker";

export interface ImageServiceOptions {
  /** Everything is kept below it. */
  root: string;
  /** The compiled images/unpack/worker.ts. */
  workerScript: string;
  images: Config["images"];
  /** Layers that are unpacked at once; as many as there are processors, up to 4. */
  maxWorkers?: number;
  /** Shorter ones for tests. */
  retry?: RetryPolicy;
}

export interface ImageServiceModules {
  mounts: Mounts;
  warn(message: string): void;
  observer?: ImageObserver;
}

export interface MountRequest {
  image: ImageId;
  /** An existing directory. */
  target: string;
  /** Whose IDs the owners of files are to be. */
  userNamespace?: UserNamespace;
  /** The SELinux label of all files. */
  label?: string;
}

/** What one file system is used for. */
export interface FsUsage {
  mountpoint: string;
  usedBytes: number;
  inodesUsed: number;
}

/** Containers' writable layers are counted file by file; for the whole an answer of this age is good enough. */
const usageAgeMs = 30_000;

/** Images and the root file systems made of them, as cri/ sees them. */
export class ImageService {
  private readonly leases = new Leases();
  private readonly blobs: ContentStore;
  private readonly layers: LayerStore;
  private readonly snapshots: Snapshots;
  private readonly images: ImageStore;
  private readonly gc: ImageGc;
  private readonly puller: Puller;
  private readonly unpacker: Unpacker;

  constructor(
    private readonly options: ImageServiceOptions,
    private readonly modules: ImageServiceModules,
  ) {
    const { leases } = this;
    const { root, workerScript } = options;
    const { mounts, warn: report } = modules;
    const maxWorkers = options.maxWorkers ?? Math.min(availableParallelism(), 4);
    this.unpacker = new Unpacker({ workerScript, maxWorkers });
    this.blobs = new ContentStore(path.join(root, "content"), { leases });
    this.layers = new LayerStore(
      { root: path.join(root, "layers") },
      { blobs: this.blobs, leases, mounts, unpacker: this.unpacker, report },
    );
    this.snapshots = new Snapshots(path.join(root, "snapshots"), { mounts, report });
    this.images = new ImageStore(path.join(root, "images"), { missingOf: (record) => this.missingOf(record), report });
    const { blobs, layers, snapshots, images } = this;
    this.gc = new ImageGc({
      ...{ blobs, layers, snapshots, images, leases },
      collected: (removed) => modules.observer?.collected(removed),
    });
    this.puller = new Puller(
      { images: options.images, retry: options.retry },
      {
        store: this.blobs,
        layerReady: ({ index, manifest, config }) => this.layers.stage(layersOf(manifest, config), index),
        received: (bytes) => modules.observer?.received(bytes),
      },
    );
  }

  /** Reads what is on disk; what is half done or damaged goes, or is set aside and reported. Comes before all else. */
  async open(): Promise<void> {
    await this.blobs.open();
    await this.layers.open();
    await this.snapshots.open();
    await this.images.open();
    this.gc.suspectAll();
  }

  /** Ends what is being unpacked with Cancelled; to be awaited before the process ends. */
  close(): Promise<void> {
    return this.unpacker.close();
  }

  /**
   * Brings an image and resolves when it is whole and on disk. Throws as Puller does, and InvalidArgument or
   * ResourceExhausted for layers that cannot be unpacked. What was fetched of a failed pull serves the next.
   */
  async pull(text: string, request: PullRequest = {}): Promise<ImageRecord> {
    const reference = parseReference(text);
    const { observer } = this.modules;
    if (!observer) return this.fetchAndComplete(reference, request);
    return observedPull(observer, formatReference(reference), request, (observed) =>
      this.fetchAndComplete(reference, observed),
    );
  }

  private async fetchAndComplete(reference: Reference, request: PullRequest): Promise<ImageRecord> {
    const endLease = this.leases.begin();
    try {
      for (let again = true; ; again = false) {
        const { manifest, config, topDigest } = await this.puller.pull(reference, request);
        const digests = [`${repositoryName(reference)}@${topDigest}`];
        const tags = reference.digest === undefined ? [formatReference(reference)] : [];
        try {
          return await this.complete({ manifest, config, tags, digests }, request);
        } catch (error) {
          // a blob can have been damaged on the disk since it was fetched
          if (!again || codeOf(error) !== "InvalidArgument") throw error;
          const removed = await this.blobs.removeDamaged(manifest.layers.map(({ digest }) => digest));
          if (removed.length === 0) throw error;
          this.modules.warn(`damaged blobs are fetched again: ${removed.join(", ")}`);
        }
      }
    } finally {
      endLease();
    }
  }

  /** By ID, an unambiguous beginning of it, tag or digest reference; undefined where there is none. */
  status(text: string): ImageRecord | undefined {
    return this.images.resolve(text);
  }

  /** Those pulled last first; with `text`, the one that it stands for. */
  list(text?: string): readonly ImageRecord[] {
    if (!text) return this.images.list();
    const found = this.images.resolve(text);
    return found ? [found] : [];
  }

  /**
   * Removes an image with all its names; it is in no list from the call on. What containers still use of it goes with
   * the last of them. Does nothing where there is none. Returns what went with it.
   */
  async remove(text: string): Promise<CollectedGarbage> {
    const record = this.images.resolve(text);
    if (!record) return { blobs: 0, layers: 0 };
    await this.forget(record);
    return this.gc.collect();
  }

  /** Takes in the images of an archive (importArchive()), named by it or by `name`. */
  async importArchive(file: string, name?: string): Promise<ImageRecord[]> {
    const endLease = this.leases.begin();
    const records: ImageRecord[] = [];
    try {
      for (const { manifest, config, names } of await importArchive(file, this.blobs, { name })) {
        const digests = names.filter((each) => each.includes("@"));
        const tags = names.filter((each) => !each.includes("@"));
        records.push(await this.complete({ manifest, config, tags, digests }));
      }
    } finally {
      endLease();
      await this.gc.collect();
    }
    return records;
  }

  /** Writes an image to an archive (exportArchive()). Throws NotFound. */
  async exportImage(text: string, file: string): Promise<void> {
    const record = this.images.resolve(text);
    if (!record) throw new BerthError("NotFound", `image "${text.slice(0, 300)}" is not there`);
    const endLease = this.leases.begin();
    try {
      const body = await this.blobs.read(record.manifest, maxManifestBytes);
      const { mediaType } = parseJsonObject(body, `manifest ${record.manifest}`);
      const document = parseManifest(body, typeof mediaType === "string" ? mediaType : manifestMediaTypes[0]!);
      if (document.kind !== "manifest") throw new BerthError("Internal", `${record.manifest} is no manifest`);
      await exportArchive(file, { manifest: document.manifest, names: record.tags }, this.blobs);
    } finally {
      endLease();
    }
  }

  /**
   * Makes a container's writable root file system over an image and mounts it at `target`, an existing directory.
   * Layers that have vanished are unpacked anew. Throws NotFound for an image that is not there, or no longer whole.
   */
  async mountRootfs(request: MountRequest & { containerId: ContainerId }): Promise<void> {
    const { containerId, image, ...mount } = request;
    await this.withLayers(image, (stack) => this.snapshots.prepare({ id: containerId, ...stack, ...mount }));
  }

  /** Unmounts and removes what mountRootfs() made; does nothing where it is gone. */
  async releaseRootfs(containerId: ContainerId, target: string): Promise<void> {
    const chainIds = this.snapshots.layersUnder(containerId);
    await this.snapshots.remove(containerId, target);
    await this.collectUnused(chainIds);
  }

  /** Containers that have a writable root file system here, of this run or an earlier one. */
  rootfsOwners(): ContainerId[] {
    return this.snapshots.list();
  }

  /** Mounts an image for reading alone. Vanished layers and errors are as for mountRootfs(). */
  async mountImageReadOnly({ image, ...mount }: MountRequest): Promise<void> {
    await this.withLayers(image, (stack) => this.snapshots.mountReadOnly({ ...stack, ...mount }));
  }

  /** Undoes mountImageReadOnly(); does nothing where that is undone. */
  unmountImage(target: string): void {
    this.collectUnused(this.snapshots.unmountReadOnly(target)).catch((error) =>
      this.modules.warn(`collecting unused layers: ${messageOf(error)}`),
    );
  }

  /** What a container has written to its root file system. Throws NotFound. */
  snapshotUsage(containerId: ContainerId, maxAgeMs = 0): Promise<DiskUsage> {
    return this.snapshots.usage(containerId, maxAgeMs);
  }

  /** What images take, and what containers have written. */
  async fsUsage(): Promise<{ images: FsUsage; containers: FsUsage }> {
    const mountpoint = this.options.root;
    const [blobs, layers] = [this.blobs.usage(), this.layers.usage()];
    const containers: FsUsage = { mountpoint, usedBytes: 0, inodesUsed: 0 };
    for (const id of this.snapshots.list()) {
      // one that goes meanwhile has no usage
      const usage = await this.snapshots.usage(id, usageAgeMs).catch(() => undefined);
      containers.usedBytes += usage?.usedBytes ?? 0;
      containers.inodesUsed += usage?.inodes ?? 0;
    }
    const images: FsUsage = {
      mountpoint,
      usedBytes: blobs.usedBytes + layers.usedBytes,
      inodesUsed: blobs.inodes + layers.inodes,
    };
    return { images, containers };
  }

  /** From blobs to a record. */
  private async complete(
    image: { manifest: ImageManifest; config: ImageConfig; tags: string[]; digests: string[] },
    { signal, onProgress }: PullRequest = {},
  ): Promise<ImageRecord> {
    const { manifest, config, tags, digests } = image;
    const layers = layersOf(manifest, config);
    // a blob that was there before: one of another size would be taken for damaged at the next start
    const lie = [manifest.config, ...manifest.layers].find((blob) => !this.blobs.isWhole(blob));
    if (lie) {
      throw new BerthError(
        "InvalidArgument",
        `manifest ${manifest.digest} is refused: blob ${lie.digest} has not the ${lie.size} bytes that it says`,
      );
    }
    const report = (layer: Layer, state: "unpacking" | "done") => {
      const { digest, size } = layer.blob;
      onProgress?.({ digest, state, doneBytes: size, totalBytes: size });
    };
    for (const layer of layers) if (!this.layers.has(layer.chainId)) report(layer, "unpacking");
    await this.layers.ensure(layers, { signal, onDone: (layer) => report(layer, "done") });
    const unpackedBytes = layers.reduce((sum, { chainId }) => sum + this.layers.sizeBytes(chainId), 0);
    return this.images.put({
      id: manifest.config.digest,
      manifest: manifest.digest,
      tags,
      digests,
      layers,
      config: config.config,
      // the kubelet takes an image of no size for a broken one
      sizeBytes: unpackedBytes || manifest.config.size,
      pulledAtNs: String(BigInt(Date.now()) * 1_000_000n),
    });
  }

  /** Uses an image's layers, whole ones, which nothing removes meanwhile. */
  private async withLayers(
    image: ImageId,
    use: (stack: { chainIds: ChainId[]; layers: string[] }) => void | Promise<void>,
  ): Promise<void> {
    const record = this.images.get(image);
    if (!record) throw new BerthError("NotFound", `image ${image} is not there`, { hint: "pull it first" });
    const endLease = this.leases.begin();
    try {
      const chainIds = record.layers.map(({ chainId }) => chainId);
      // each one is asked for, so that none is collected
      const missing = chainIds.filter((chainId) => !this.layers.has(chainId));
      if (missing.length > 0) await this.repair(record);
      await use({ chainIds, layers: this.layers.diffPaths(chainIds) });
    } finally {
      endLease();
    }
  }

  /** Unpacks anew what has vanished. An image whose blobs are gone or damaged too is one no more: it can be pulled. */
  private async repair(record: ImageRecord): Promise<void> {
    this.modules.warn(`layers of image ${record.id} are gone and unpacked anew`);
    const lost: Digest[] = [];
    for (const { blob } of record.layers) if (!(await this.blobs.has(blob.digest))) lost.push(blob.digest);
    if (lost.length === 0) {
      try {
        await this.layers.ensure(record.layers);
        return;
      } catch (error) {
        if (codeOf(error) !== "InvalidArgument") throw error;
        lost.push(...(await this.blobs.removeDamaged(record.layers.map(({ blob }) => blob.digest))));
        if (lost.length === 0) throw error;
      }
    }
    await this.forget(record);
    throw new BerthError("NotFound", `image ${record.id} is damaged: ${lost.join(", ")} gone`, {
      hint: "pull the image again: only what is gone is fetched",
    });
  }

  private missingOf(record: ImageRecord): string | undefined {
    for (const { blob } of record.layers) this.blobs.expect(blob);
    const missingBlob: Digest | undefined =
      [record.id, record.manifest].find((digest) => !this.blobs.isThere(digest)) ??
      record.layers.find(({ blob }) => !this.blobs.isWhole(blob))?.blob.digest;
    if (missingBlob) return `blob ${missingBlob} is missing or short`;
    const missingLayer = record.layers.find(({ chainId }) => !this.layers.has(chainId));
    return missingLayer && `layer ${missingLayer.chainId} is missing`;
  }

  /** An image is one no more; its parts go with the next collection. */
  private async forget(record: ImageRecord): Promise<void> {
    await this.images.remove(record.id);
    this.gc.suspect({ blobs: blobsOf(record), layers: record.layers.map(({ chainId }) => chainId) });
  }

  /** For layers that a mount less is upon: as long as each belongs to an image, nothing is unused. */
  private async collectUnused(layers: readonly ChainId[]): Promise<void> {
    if (layers.every((chainId) => this.images.usesLayer(chainId))) return;
    this.gc.suspect({ layers });
    await this.gc.collect();
  }

  /** Removes all blobs and layers that nothing uses, also those that nobody has let go of. */
  collect(): Promise<CollectedGarbage> {
    this.gc.suspectAll();
    return this.gc.collect();
  }
}

/** The layers that a manifest and its configuration speak of, bottom first. */
function layersOf(manifest: ImageManifest, config: ImageConfig): Layer[] {
  const chainIds = chainIdsOf(config.diffIds);
  return manifest.layers.map((blob, index) => ({ blob, diffId: config.diffIds[index]!, chainId: chainIds[index]! }));
}
