import fs from "node:fs";
import path from "node:path";
import { BerthError, during, messageOf } from "../api/errors";
import { type ChainId, type Digest, hexOf, isDigest } from "../api/ids";
import { temporaryMark } from "../sys/durable-file";
import { faultPoint } from "../sys/fault-points";
import { errnoOf } from "../sys/libc";
import type { Mounts } from "../sys/mounts";
import { diskError, isDiskFault } from "./disk-error";
import type { DiskUsage } from "./disk-usage";
import { copyRootMetadata, finishAlone, layerPaths } from "./layer-finish";
import type { Leases } from "./leases";
import { removeTree } from "./remove-tree";
import type { BlobStore, Descriptor } from "./types";
import type { Applied } from "./unpack/apply";
import { NeedsParents } from "./unpack/directories";
import type { Unpacker } from "./unpack/unpacker";

/** A layer of an image, as its record has it. */
export interface Layer {
  blob: Descriptor;
  diffId: Digest;
  chainId: ChainId;
}

export interface LayerStoreOptions {
  root: string;
  /** Entries of one layer. */
  mostEntries?: number;
  /** A layer's tar may be this many times its blob. */
  mostRatio?: number;
  /** However small its blob, a layer's tar may have so many bytes. */
  allowedBytes?: number;
}

export interface LayerStoreModules {
  blobs: BlobStore;
  leases: Leases;
  mounts: Mounts;
  unpacker: Pick<Unpacker, "apply" | "commit">;
  /** Told what was found damaged and set aside. */
  report(message: string): void;
}

interface LayerMeta {
  version: 1;
  diffId: Digest;
  parent?: ChainId;
  sizeBytes: number;
  inodes: number;
}

/** A layer that is being made. */
interface Making {
  layer: Layer;
  /** Its own files, unpacked without those below. */
  applied: Promise<Applied | NeedsParents>;
  /** The tree is complete; it stays where it is. */
  finished?: Promise<LayerMeta>;
  committed?: Promise<void>;
  abort: AbortController;
}

interface Waiting {
  making: Making;
  meta: LayerMeta;
  done(): void;
  failed(error: unknown): void;
}

/**
 * Unpacked layers by chain ID: `<root>/<hex>/diff` is the tree in overlayfs's terms, `meta.json` says that it is whole
 * and on disk. Layers are unpacked side by side, each alone, and finished bottom first. The work belongs to no caller:
 * it goes on while any operation runs.
 */
export class LayerStore {
  private readonly metas = new Map<ChainId, LayerMeta>();
  private readonly making = new Map<ChainId, Making>();
  /** Failed or given up, and still being cleaned away. */
  private readonly leaving = new Map<ChainId, Promise<void>>();
  private readonly limits: { mostEntries: number; mostRatio: number; allowedBytes: number };
  private waiting: Waiting[] = [];
  private committing = false;
  private discarded = 0;

  constructor(
    private readonly options: LayerStoreOptions,
    private readonly modules: LayerStoreModules,
  ) {
    const { mostEntries = 4_000_000, mostRatio = 200, allowedBytes = 1 << 30 } = options;
    this.limits = { mostEntries, mostRatio, allowedBytes };
    modules.leases.onIdle(() => {
      for (const making of [...this.making.values()]) this.giveUp(making);
    });
  }

  /** Reads what is there. What a crash has left half done is set aside, and removed in the background. */
  async open(): Promise<void> {
    const { root } = this.options;
    await fs.promises.mkdir(root, { recursive: true, mode: 0o700 });
    for (const name of await fs.promises.readdir(root)) {
      const chainId = `sha256:${name}`;
      const meta = isDigest(chainId) ? this.readMeta(chainId) : undefined;
      if (meta) this.metas.set(chainId as ChainId, meta);
      else this.discard(path.join(root, name)).catch((error) => this.modules.report(messageOf(error)));
    }
  }

  /** Whether a layer is whole. */
  has(chainId: ChainId): boolean {
    this.modules.leases.touchLayer(chainId);
    if (!this.metas.has(chainId)) return false;
    if (fs.existsSync(this.paths(chainId).diff)) return true;
    this.modules.report(`the tree of layer ${chainId} is gone`);
    // with it what says that it is whole, which would speak for the half of a new tree after a crash
    this.remove(chainId).catch((error) => this.modules.report(messageOf(error)));
    return false;
  }

  /**
   * Starts to unpack one layer of an image (bottom first) whose blob has arrived; ensure() takes over what is there. A
   * failure shows there too.
   */
  stage(layers: readonly Layer[], index: number): void {
    const layer = layers[index]!;
    if (!this.has(layer.chainId)) this.start(layer, index);
  }

  /**
   * Resolves when all layers of an image (bottom first) are whole and on disk; their blobs must be there. However many
   * ask for a layer, it is unpacked once. Throws InvalidArgument where a layer is damaged or hostile, ResourceExhausted
   * where it is too large or the disk is full, Cancelled. What is not finished goes when no operation is left.
   */
  async ensure(
    layers: readonly Layer[],
    { signal, onDone }: { signal?: AbortSignal; onDone?: (layer: Layer) => void } = {},
  ): Promise<void> {
    for (let index = 0; index < layers.length; index++) this.stage(layers, index);
    const work = layers.map(async (layer, index) => {
      await this.committed(layers, index);
      onDone?.(layer);
    });
    await unlessAborted(Promise.all(work), signal);
  }

  /** The trees of a stack for overlayfs, topmost first, from its chain IDs, bottom first. */
  diffPaths(chainIds: readonly ChainId[]): string[] {
    return chainIds.map((chainId) => this.paths(chainId).diff).reverse();
  }

  /** Bytes of an unpacked layer; 0 where it is not there. */
  sizeBytes(chainId: ChainId): number {
    return this.metas.get(chainId)?.sizeBytes ?? 0;
  }

  list(): ChainId[] {
    return [...this.metas.keys()];
  }

  /** The layer is gone at once; resolves, to whether it was there, when its files are. It must not be part of a mount. */
  async remove(chainId: ChainId): Promise<boolean> {
    if (!this.metas.delete(chainId)) return false;
    await this.discard(this.directory(chainId));
    return true;
  }

  usage(): DiskUsage {
    const usage = { usedBytes: 0, inodes: 0 };
    for (const { sizeBytes, inodes } of this.metas.values()) {
      usage.usedBytes += sizeBytes;
      usage.inodes += inodes;
    }
    return usage;
  }

  private start(layer: Layer, index: number): Making {
    const running = this.making.get(layer.chainId);
    if (running) return running;
    const abort = new AbortController();
    const before = this.leaving.get(layer.chainId) ?? Promise.resolve();
    const applied = before.then(() => this.applyAlone(layer, index, abort.signal));
    // nobody may be waiting for it yet
    applied.catch(() => {});
    const making = { layer, applied, abort };
    this.making.set(layer.chainId, making);
    return making;
  }

  private committed(layers: readonly Layer[], index: number): Promise<void> {
    const layer = layers[index]!;
    if (this.metas.has(layer.chainId)) return Promise.resolve();
    const making = this.start(layer, index);
    making.committed ??= this.finished(layers, index)
      .then((meta) => this.commit(making, meta))
      .catch((error: unknown) => {
        this.giveUp(making);
        const directory = this.directory(layer.chainId);
        if (isDiskFault(error)) throw diskError(directory, error);
        throw during(`unpacking layer ${layer.diffId} in ${directory}`, error);
      });
    return making.committed;
  }

  private finished(layers: readonly Layer[], index: number): Promise<LayerMeta> {
    const making = this.start(layers[index]!, index);
    making.finished ??= this.finish(layers, index, making);
    making.finished.catch(() => {});
    return making.finished;
  }

  private async finish(layers: readonly Layer[], index: number, making: Making): Promise<LayerMeta> {
    const { chainId, diffId } = making.layer;
    let applied = await making.applied;
    const below = layers[index - 1];
    if (below) {
      if (!this.metas.has(below.chainId)) await this.finished(layers, index - 1);
      const parents = this.diffPaths(layers.slice(0, index).map((layer) => layer.chainId));
      try {
        if (applied instanceof NeedsParents) throw applied;
        await finishAlone(this.paths(chainId).diff, parents, applied);
      } catch (error) {
        if (!(error instanceof NeedsParents)) throw error;
        applied = await this.applyMerged(making, parents);
      }
    }
    if (applied instanceof NeedsParents) throw new BerthError("Internal", applied.message);
    const { sizeBytes, inodes } = applied;
    const meta: LayerMeta = { version: 1, diffId, parent: below?.chainId, sizeBytes, inodes };
    await faultPoint("PullImage.layer-record");
    await fs.promises.writeFile(this.paths(chainId).nextMeta, JSON.stringify(meta), { mode: 0o600 });
    return meta;
  }

  private async applyAlone(layer: Layer, index: number, signal: AbortSignal): Promise<Applied | NeedsParents> {
    await faultPoint("PullImage.unpack");
    await this.makeTree(layer.chainId);
    try {
      return await this.modules.unpacker.apply({
        ...this.requestOf(layer, signal),
        tree: this.paths(layer.chainId).diff,
        mode: index === 0 ? "base" : "alone",
      });
    } catch (error) {
      if (error instanceof NeedsParents) return error;
      throw error;
    }
  }

  /** Anew, through a mount of the layers below with this one's tree on top, where the kernel writes the marks. */
  private async applyMerged({ layer, abort }: Making, parents: string[]): Promise<Applied> {
    const { mounts, unpacker } = this.modules;
    const { diff, work, merged } = this.paths(layer.chainId);
    await removeTree(diff);
    await this.makeTree(layer.chainId);
    await fs.promises.mkdir(work, { mode: 0o700 });
    await fs.promises.mkdir(merged, { mode: 0o700 });
    await copyRootMetadata(parents[0]!, diff);
    // what is written is synced as it is committed, and not here as it is unmounted
    mounts.overlay({ lower: parents, upper: diff, work, target: merged, volatile: true });
    try {
      return await unpacker.apply({ ...this.requestOf(layer, abort.signal), tree: merged, mode: "merged" });
    } finally {
      mounts.unmount(merged);
      await fs.promises.rm(merged, { recursive: true, force: true });
      await removeTree(work);
    }
  }

  private async makeTree(chainId: ChainId): Promise<void> {
    const { diff } = this.paths(chainId);
    try {
      await fs.promises.mkdir(path.dirname(diff), { recursive: true, mode: 0o700 });
      await fs.promises.mkdir(diff, { mode: 0o755 });
      await fs.promises.chmod(diff, 0o755);
    } catch (error) {
      throw diskError(diff, error);
    }
  }

  private requestOf({ blob, diffId }: Layer, signal: AbortSignal) {
    const { mostEntries, mostRatio, allowedBytes } = this.limits;
    const mostBytes = Math.max(allowedBytes, blob.size * mostRatio);
    return { blob: this.modules.blobs.pathOf(blob.digest), diffId, signal, limits: { mostEntries, mostBytes } };
  }

  /** Layers that are finished while others are being committed go together next: waiting for the disk is dear. */
  private commit(making: Making, meta: LayerMeta): Promise<void> {
    return new Promise((done, failed) => {
      this.waiting.push({ making, meta, done, failed });
      if (!this.committing) void this.commitAll();
    });
  }

  private async commitAll(): Promise<void> {
    this.committing = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.filter(({ making, failed }) => {
        if (making.abort.signal.aborted) failed(new BerthError("Cancelled", "unpacking was given up"));
        return !making.abort.signal.aborted;
      });
      this.waiting = [];
      if (batch.length === 0) continue;
      // what is whole already is not given up: its files must stay where they are
      const endLease = this.modules.leases.begin();
      try {
        const renames = batch.map(({ making }): [string, string] => {
          const { nextMeta, meta } = this.paths(making.layer.chainId);
          return [nextMeta, meta];
        });
        await this.modules.unpacker.commit(this.options.root, renames);
        for (const { making, meta, done } of batch) {
          this.metas.set(making.layer.chainId, meta);
          this.making.delete(making.layer.chainId);
          done();
        }
      } catch (error) {
        // what was finished upon these must not outlive them
        for (const making of [...this.making.values()]) this.giveUp(making);
        for (const { failed } of batch) failed(error);
      } finally {
        endLease();
      }
    }
    this.committing = false;
  }

  private giveUp(making: Making): void {
    const { chainId } = making.layer;
    if (this.making.get(chainId) !== making) return;
    making.abort.abort();
    this.making.delete(chainId);
    const gone = Promise.allSettled([making.applied, making.finished])
      .then(() => this.discard(this.directory(chainId)))
      .catch((error) => this.modules.report(messageOf(error)))
      .finally(() => this.leaving.delete(chainId));
    this.leaving.set(chainId, gone);
  }

  /** Out of the way at once, so that it can be made anew; then removed. */
  private async discard(directory: string): Promise<void> {
    this.modules.mounts.unmount(layerPaths(directory).merged);
    const aside = path.join(this.options.root, `${temporaryMark}${process.pid}-${Date.now()}-${this.discarded++}`);
    try {
      fs.renameSync(directory, aside);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw error;
    }
    await removeTree(aside);
  }

  private readMeta(chainId: ChainId): LayerMeta | undefined {
    const { meta, diff } = this.paths(chainId);
    try {
      const read = JSON.parse(fs.readFileSync(meta, "utf8")) as LayerMeta;
      if (read.version !== 1) throw new Error(`it is of version ${read.version}`);
      if (!Number.isSafeInteger(read.sizeBytes) || !Number.isSafeInteger(read.inodes))
        throw new Error("it has no size");
      if (!fs.statSync(diff).isDirectory()) throw new Error("its tree is gone");
      return read;
    } catch (error) {
      // without the file it was never whole
      if (fs.existsSync(meta)) this.modules.report(`layer ${chainId} is damaged: ${messageOf(error)}`);
      return undefined;
    }
  }

  private directory(chainId: ChainId): string {
    return path.join(this.options.root, hexOf(chainId));
  }

  private paths(chainId: ChainId) {
    return layerPaths(this.directory(chainId));
  }
}

/** `work`, or Cancelled as soon as the signal aborts; the work itself goes on. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new BerthError("Cancelled", "unpacking was cancelled"));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  work.catch(() => {});
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
