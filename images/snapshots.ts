import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { BerthError, messageOf } from "../api/errors";
import { type ChainId, type ContainerId, parseDigest } from "../api/ids";
import { temporaryMark, writeFileAtomically } from "../sys/durable-file";
import { faultPoint } from "../sys/fault-points";
import { outerId, type UserNamespace } from "../sys/id-mapping";
import { readMountInfo } from "../sys/mount-info";
import type { Mounts } from "../sys/mounts";
import { MultiMap } from "../sys/multi-map";
import { diskError } from "./disk-error";
import { type DiskUsage, diskUsage } from "./disk-usage";
import { copyRootMetadata } from "./layer-finish";
import { removeTree } from "./remove-tree";

export interface SnapshotRequest {
  id: ContainerId;
  /** The image's layers, bottom first; none for an empty image. */
  chainIds: readonly ChainId[];
  /** Their trees, topmost first. */
  layers: readonly string[];
  /** An existing directory. */
  target: string;
  /** Who owns what is told from inside it: the layers are mapped, and what is written is the owners' outside. */
  userNamespace?: UserNamespace;
  /** The SELinux label of all files, as the container sees them. */
  label?: string;
}

/** What each container writes over its image: `<root>/<container ID>/{upper,work,layers.json}`. */
export class Snapshots {
  private readonly layersOf = new Map<string, ChainId[]>();
  private readonly measured = new Map<string, { atMs: number; usage: DiskUsage }>();
  /** Of what is mounted for reading alone, by the file that says so. */
  private readonly views = new Map<string, ChainId[]>();
  /** Which of the two are upon a layer. */
  private readonly users = new MultiMap<ChainId, string>();
  private readonly empty: string;
  private readonly viewsRoot: string;

  constructor(
    private readonly root: string,
    private readonly modules: { mounts: Mounts; report(message: string): void },
  ) {
    this.empty = path.join(root, ".empty");
    this.viewsRoot = path.join(root, ".views");
  }

  /** Reads what is there; what a crash has left half made or half removed goes. */
  async open(): Promise<void> {
    await fs.promises.mkdir(this.root, { recursive: true, mode: 0o700 });
    await fs.promises.mkdir(this.empty, { recursive: true, mode: 0o755 });
    await fs.promises.mkdir(this.viewsRoot, { recursive: true, mode: 0o700 });
    for (const name of await fs.promises.readdir(this.viewsRoot)) this.openView(path.join(this.viewsRoot, name));
    for (const name of await fs.promises.readdir(this.root)) {
      const directory = path.join(this.root, name);
      if (directory === this.empty || directory === this.viewsRoot) continue;
      const chainIds = this.readLayers(name) ?? this.mountedLayers(name);
      if (chainIds) this.note(this.layersOf, name, chainIds);
      else removeTree(directory).catch((error) => this.modules.report(messageOf(error)));
    }
  }

  /**
   * Makes a container's writable layer and mounts it over its image at `target`. Throws AlreadyExists where it has one,
   * ResourceExhausted where the disk is full; then nothing is left of it.
   */
  async prepare({ id, chainIds, layers, target, userNamespace, label }: SnapshotRequest): Promise<void> {
    const { upper, work, layersFile, directory } = this.paths(id);
    if (this.layersOf.has(id)) throw new BerthError("AlreadyExists", `container ${id} has a root file system already`);
    // known before it is made, so that its layers are not collected meanwhile
    this.note(this.layersOf, id, chainIds);
    try {
      // one after the other: recursively, Node says ENOENT where the disk is read-only
      await fs.promises.mkdir(directory);
      await fs.promises.mkdir(upper);
      await fs.promises.chmod(upper, 0o755);
      await fs.promises.mkdir(work, { mode: 0o700 });
      // what is on top says what the root of the whole looks like
      if (layers[0]) await copyRootMetadata(layers[0], upper);
      if (userNamespace) await mapOwner(upper, userNamespace);
      writeFileAtomically(layersFile, JSON.stringify({ version: 1, chainIds }));
      const lower = layers.length > 0 ? [...layers] : [this.empty];
      await faultPoint("CreateContainer.rootfs-mount");
      this.modules.mounts.overlay({
        lower,
        upper,
        work,
        target,
        userNamespace: userNamespace?.path,
        label,
        volatile: true, // no container outlives a reboot
      });
    } catch (error) {
      this.drop(this.layersOf, id);
      await removeTree(directory);
      throw diskError(directory, error);
    }
  }

  /**
   * Mounts a stack of layers at `target`, an existing directory, for reading alone; they are in use until
   * unmountReadOnly(). Throws ResourceExhausted where the disk is full.
   */
  mountReadOnly({ chainIds, layers, target, userNamespace, label }: Omit<SnapshotRequest, "id">): void {
    const file = this.viewFile(target);
    this.note(this.views, file, chainIds);
    try {
      writeFileAtomically(file, JSON.stringify({ version: 1, chainIds, target }));
      const lower = layers.length > 0 ? [...layers] : [this.empty];
      // a layer alone would be mounted as it is, and keep its own labels
      if (label && lower.length === 1) lower.push(this.empty);
      this.modules.mounts.overlay({ lower, target, userNamespace: userNamespace?.path, label });
    } catch (error) {
      fs.rmSync(file, { force: true });
      this.drop(this.views, file);
      throw diskError(target, error);
    }
  }

  /** Returns the layers that were mounted there; does nothing where nothing is. */
  unmountReadOnly(target: string): readonly ChainId[] {
    this.modules.mounts.unmount(target);
    const file = this.viewFile(target);
    const chainIds = this.views.get(file) ?? [];
    fs.rmSync(file, { force: true });
    this.drop(this.views, file);
    return chainIds;
  }

  /** Unmounts and removes what a container wrote; does nothing where it is gone. */
  async remove(id: ContainerId, target: string): Promise<void> {
    this.modules.mounts.unmount(target);
    await this.forget(id);
  }

  /** Removes what a container wrote, whose mount is gone. */
  async forget(id: ContainerId): Promise<void> {
    const { directory } = this.paths(id);
    const aside = path.join(this.root, `${temporaryMark}${id}`);
    // the layers stay in use until the mount cannot come back
    if (fs.existsSync(directory)) fs.renameSync(directory, aside);
    this.drop(this.layersOf, id);
    this.measured.delete(id);
    await removeTree(aside);
  }

  has(id: ContainerId): boolean {
    return this.layersOf.has(id);
  }

  /** The layers that a container's writable one lies upon, bottom first; none where it has none. */
  layersUnder(id: ContainerId): readonly ChainId[] {
    return this.layersOf.get(id) ?? [];
  }

  /** Containers that have a writable layer. */
  list(): ContainerId[] {
    return [...this.layersOf.keys()] as ContainerId[];
  }

  /** Whether a container, or a view, is mounted upon a layer. */
  uses(chainId: ChainId): boolean {
    return this.users.has(chainId);
  }

  /**
   * What a container has written: counted file by file, so an answer of the last `maxAgeMs` will do. Throws NotFound.
   */
  async usage(id: ContainerId, maxAgeMs = 0): Promise<DiskUsage> {
    if (!this.layersOf.has(id)) throw new BerthError("NotFound", `container ${id} has no root file system`);
    const last = this.measured.get(id);
    const nowMs = performance.now();
    if (last && nowMs - last.atMs <= maxAgeMs) return last.usage;
    const usage = await diskUsage(this.paths(id).upper);
    if (this.layersOf.has(id)) this.measured.set(id, { atMs: nowMs, usage });
    return usage;
  }

  /** What was mounted before a reboot is no longer. */
  private openView(file: string): void {
    try {
      const { chainIds, target } = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, unknown>;
      if (!Array.isArray(chainIds) || typeof target !== "string") throw new Error("it is of another version");
      const mounted = readMountInfo().some(({ mountPoint }) => mountPoint === target);
      if (mounted) this.note(this.views, file, chainIds.map(parseDigest));
      else fs.rmSync(file);
    } catch (error) {
      this.modules.report(`${file} is damaged and goes: ${messageOf(error)}`);
      fs.rmSync(file, { force: true });
    }
  }

  private note(mounted: Map<string, ChainId[]>, key: string, chainIds: readonly ChainId[]): void {
    this.drop(mounted, key);
    mounted.set(key, [...chainIds]);
    for (const chainId of chainIds) this.users.add(chainId, key);
  }

  private drop(mounted: Map<string, ChainId[]>, key: string): void {
    for (const chainId of mounted.get(key) ?? []) this.users.remove(chainId, key);
    mounted.delete(key);
  }

  private viewFile(target: string): string {
    return path.join(this.viewsRoot, createHash("sha256").update(target).digest("hex"));
  }

  private readLayers(name: string): ChainId[] | undefined {
    if (name.startsWith(temporaryMark)) return undefined;
    const { layersFile } = this.paths(name);
    try {
      const { version, chainIds } = JSON.parse(fs.readFileSync(layersFile, "utf8")) as Record<string, unknown>;
      if (version !== 1 || !Array.isArray(chainIds)) throw new Error("it is of another version");
      return chainIds.map(parseDigest);
    } catch (error) {
      this.modules.report(`${layersFile} can't be read: ${messageOf(error)}`);
      return undefined;
    }
  }

  /**
   * What the mount itself says that it lies upon, for a container that may run: what it has written must not go. The file
   * is written anew. Undefined where nothing is mounted: then nobody can use it any more.
   */
  private mountedLayers(name: string): ChainId[] | undefined {
    const { upper, layersFile } = this.paths(name);
    const mount = readMountInfo().find(({ superOptions }) => superOptions.includes(`upperdir=${upper}`));
    if (!mount) return undefined;
    const lower = mount.superOptions.filter((option) => option.startsWith("lowerdir"));
    const found = lower.flatMap((option) => [...option.matchAll(/\/([0-9a-f]{64})\/diff\b/g)]);
    const chainIds = found.map(([, hex]) => `sha256:${hex}` as ChainId).reverse();
    fs.rmSync(layersFile, { recursive: true, force: true });
    writeFileAtomically(layersFile, JSON.stringify({ version: 1, chainIds }));
    this.modules.report(`container ${name} is mounted, and its ${chainIds.length} layers are written down anew`);
    return chainIds;
  }

  private paths(id: string) {
    const directory = path.join(this.root, id);
    return {
      directory,
      upper: path.join(directory, "upper"),
      work: path.join(directory, "work"),
      layersFile: path.join(directory, "layers.json"),
    };
  }
}

/** An owner that is not mapped stays, and is nobody inside. */
async function mapOwner(directory: string, { uids, gids }: UserNamespace): Promise<void> {
  const { uid, gid } = await fs.promises.stat(directory);
  await fs.promises.chown(directory, outerId(uids, uid) ?? uid, outerId(gids, gid) ?? gid);
}
