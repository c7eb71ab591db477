import fs from "node:fs";
import path from "node:path";
import type { Config } from "../api/config/schema";
import { BerthError, codeOf, messageOf } from "../api/errors";
import type { ContainerId, ImageId } from "../api/ids";
import type { Mounts } from "../sys/mounts";
import { chainIdsOf } from "./chain-id";
import { ContentStore } from "./content-store";
import type { AuthConfig } from "./credentials";
import type { DiskUsage } from "./disk-usage";
import { collectGarbage } from "./image-gc";
import { ImageStore } from "./image-store";
import { type Layer, LayerStore } from "./layer-store";
import { Leases } from "./leases";
import { type PulledImage, Puller } from "./pull";
import { formatReference, parseReference, type Reference, repositoryName } from "./reference";
import { Snapshots } from "./snapshots";
import type { ImageConfig, ImageManifest, ImageRecord, PullProgress } from "./types";
import { Unpacker } from "./unpack/unpacker";

export interface ImageServiceOptions {
  /** Everything is kept below it, on one file system. */
  root: string;
  /** The compiled images/unpack/worker.ts. */
  workerScript: string;
  images: Config["images"];
  /** Layers that are unpacked at once. */
  maxWorkers?: number;
}

export interface ImageServiceModules {
  mounts: Mounts;
  warn(message: string): void;
}

export interface PullOptions {
  auth?: AuthConfig;
  signal?: AbortSignal;
  onProgress?: PullProgress;
}

/** A file system's use, as the CRI's ImageFsInfo tells it. */
export interface FilesystemUsage {
  mountpoint: string;
  usedBytes: number;
  inodesUsed: number;
}

/** Images as the rest of Berth sees them: pulled, listed, mounted for containers, removed. */
export class ImageService {
  private readonly leases = new Leases();
  private readonly blobs: ContentStore;
  private readonly layers: LayerStore;
  private readonly records: ImageStore;
  private readonly snapshots: Snapshots;
  private readonly puller: Puller;
  private collecting = Promise.resolve();

  constructor(
    private readonly options: ImageServiceOptions,
    private readonly modules: ImageServiceModules,
  ) {
    const { root, workerScript, images, maxWorkers = 2 } = options;
    const { mounts, warn: report } = modules;
    const { leases } = this;
    this.blobs = new ContentStore(path.join(root, "content"), { leases });
    const unpacker = new Unpacker({ workerScript, maxWorkers });
    this.layers = new LayerStore(
      { root: path.join(root, "layers") },
      { blobs: this.blobs, leases, mounts, unpacker, report },
    );
    this.records = new ImageStore(path.join(root, "images"), { missingOf: (record) => this.missingOf(record), report });
    this.snapshots = new Snapshots(path.join(root, "snapshots"), { mounts, report });
    this.puller = new Puller(
      { images },
      {
        store: this.blobs,
        // unpacking goes on while other layers are still on their way
        layerReady: ({ index, manifest, config }) => this.layers.stage(layersOf(manifest, config), index),
      },
    );
  }

  /** Reads what is there, and throws away what a crash has left half done. */
  async open(): Promise<void> {
    await fs.promises.mkdir(this.options.root, { recursive: true, mode: 0o711 });
    await Promise.all([this.blobs.open(), this.layers.open(), this.snapshots.open()]);
    await this.records.open();
    for (const record of this.records.list()) for (const { blob } of record.layers) this.blobs.expect(blob);
    this.collectGarbage();
  }

  /** Fetches an image and resolves when all of it is on disk. Throws as Puller.pull() and LayerStore.ensure() do. */
  async pull(text: string, options: PullOptions = {}): Promise<ImageRecord> {
    const reference = parseReference(text);
    const endLease = this.leases.begin();
    try {
      const pulled = await this.puller.pull(reference, options);
      try {
        return await this.unpackAndRecord(pulled, options);
      } catch (error) {
        if (codeOf(error) !== "InvalidArgument") throw error;
        // the blob may have been right once and be damaged on this disk: then it is fetched again, else the image is bad
        const damaged = await this.blobs.removeDamaged(pulled.manifest.layers.map(({ digest }) => digest));
        if (damaged.length === 0) throw error;
        this.modules.warn(`${damaged.length} damaged blobs are fetched again: ${messageOf(error)}`);
        return await this.unpackAndRecord(await this.puller.pull(reference, options), options);
      }
    } finally {
      endLease();
    }
  }

  private async unpackAndRecord(pulled: PulledImage, { signal, onProgress }: PullOptions): Promise<ImageRecord> {
    const { manifest, config } = pulled;
    const layers = layersOf(manifest, config);
    const tell = ({ blob }: Layer, state: "unpacking" | "done") =>
      onProgress?.({ digest: blob.digest, state, doneBytes: blob.size, totalBytes: blob.size });
    for (const layer of layers) tell(layer, this.layers.has(layer.chainId) ? "done" : "unpacking");
    await this.layers.ensure(layers, { signal, onDone: (layer) => tell(layer, "done") });
    return this.record(manifest, config, namesOf(pulled.reference, pulled.topDigest));
  }

  /** Writes down an image whose blobs and layers are all there. */
  private record(
    manifest: ImageManifest,
    config: ImageConfig,
    names: { tags: string[]; digests: string[] },
  ): Promise<ImageRecord> {
    const layers = layersOf(manifest, config);
    return this.records.put({
      id: manifest.config.digest,
      manifest: manifest.digest,
      ...names,
      layers,
      config: config.config,
      sizeBytes: layers.reduce((sum, { chainId }) => sum + this.layers.sizeBytes(chainId), 0),
      pulledAtNs: `${Date.now()}000000`,
    });
  }

  /** The image of an ID, a name, or the beginning of an ID; undefined where there is none. */
  status(text: string): ImageRecord | undefined {
    return this.records.resolve(text);
  }

  list(): ImageRecord[] {
    return this.records.list();
  }

  /** Removes an image with all its names. Its layers stay as long as a container is mounted on them. */
  async remove(text: string): Promise<void> {
    const record = this.records.resolve(text);
    if (!record) return;
    await this.records.remove(record.id);
    this.collectGarbage();
  }

  /** Mounts a container's own writable tree over an image at `target`, an existing directory. Throws NotFound. */
  async mountRootfs({
    containerId,
    image,
    target,
  }: {
    containerId: ContainerId;
    image: ImageId;
    target: string;
  }): Promise<void> {
    await this.snapshots.prepare({ id: containerId, ...this.stackOf(image), target });
  }

  /** Unmounts and removes what a container has written; nothing where that is gone. */
  async releaseRootfs(containerId: ContainerId, target: string): Promise<void> {
    await this.snapshots.remove(containerId, target);
    this.collectGarbage();
  }

  /** Mounts an image's tree at `target`, an existing directory, for reading alone. Throws NotFound. */
  mountImageReadOnly(image: ImageId, target: string): void {
    this.snapshots.mountReadOnly({ ...this.stackOf(image), target });
  }

  unmountImage(target: string): void {
    this.snapshots.unmountReadOnly(target);
    this.collectGarbage();
  }

  private stackOf(image: ImageId) {
    const record = this.records.get(image);
    if (!record) throw new BerthError("NotFound", `image ${image} is not there`);
    const chainIds = record.layers.map(({ chainId }) => chainId);
    return { chainIds, layers: this.layers.diffPaths(chainIds) };
  }

  /** Containers that have a writable tree, for who takes up after a crash. */
  rootfsOwners(): ContainerId[] {
    return this.snapshots.list();
  }

  /** What a container has written; an answer of the last `maxAgeMs` will do. Throws NotFound. */
  snapshotUsage(containerId: ContainerId, maxAgeMs = 10_000): Promise<DiskUsage> {
    return this.snapshots.usage(containerId, maxAgeMs);
  }

  /** The image store (blobs and layers), and apart from it what containers have written. */
  async fsUsage(): Promise<{ images: FilesystemUsage; containers: FilesystemUsage }> {
    const { root } = this.options;
    const blobs = this.blobs.usage();
    const layers = this.layers.usage();
    const written = await Promise.all(
      this.snapshots.list().map((id) => this.snapshotUsage(id).catch(() => ({ usedBytes: 0, inodes: 0 }))),
    );
    return {
      images: {
        mountpoint: root,
        usedBytes: blobs.usedBytes + layers.usedBytes,
        inodesUsed: blobs.inodes + layers.inodes,
      },
      containers: {
        mountpoint: path.join(root, "snapshots"),
        usedBytes: written.reduce((sum, each) => sum + each.usedBytes, 0),
        inodesUsed: written.reduce((sum, each) => sum + each.inodes, 0),
      },
    };
  }

  /** One at a time, in the background; what it could not remove, the next one does. */
  private collectGarbage(): void {
    const { records: images, blobs, layers, leases, snapshots } = this;
    this.collecting = this.collecting.then(async () => {
      try {
        await collectGarbage({ images, blobs, layers, leases, layersInUse: () => snapshots.layersInUse() });
      } catch (error) {
        this.modules.warn(`what no image needs could not be removed: ${messageOf(error)}`);
      }
    });
  }

  private missingOf(record: ImageRecord): string | undefined {
    for (const { blob, chainId } of record.layers) {
      if (!this.blobs.isWhole(blob)) return `blob ${blob.digest} is missing or damaged`;
      if (!this.layers.has(chainId)) return `layer ${chainId} is missing`;
    }
    return undefined;
  }
}

function layersOf(manifest: ImageManifest, config: ImageConfig): Layer[] {
  const chainIds = chainIdsOf(config.diffIds);
  return manifest.layers.map((blob, index) => ({ blob, diffId: config.diffIds[index]!, chainId: chainIds[index]! }));
}

/** A pull by tag gives the image that tag; one by digest gives it none. */
function namesOf(reference: Reference, topDigest: string): { tags: string[]; digests: string[] } {
  return {
    tags: reference.digest ? [] : [formatReference(reference)],
    digests: [`${repositoryName(reference)}@${topDigest}`],
  };
}
