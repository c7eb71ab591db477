import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Config } from "../../../api/config/schema";
import type { ContainerId } from "../../../api/ids";
import { ContentStore } from "../../../images/content-store";
import { ImageService } from "../../../images/image-service";
import { type Layer, LayerStore } from "../../../images/layer-store";
import { Leases } from "../../../images/leases";
import { Snapshots } from "../../../images/snapshots";
import { Unpacker } from "../../../images/unpack/unpacker";
import { readMountInfo } from "../../../sys/mount-info";
import { HostMounts } from "../../../sys/mounts";

export interface Limits {
  mostEntries?: number;
  mostRatio?: number;
  allowedBytes?: number;
}

const images: Config["images"] = {
  certs_dirs: [],
  auth_files: [],
  max_concurrent_downloads: 3,
  progress_timeout_s: 5,
  pinned: [],
  registries: {},
};

/** A directory of one test's own, with stores in it; clean() leaves nothing, mounts included. */
export class Workspace {
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-layers-"));
  readonly mounts = new HostMounts();
  readonly reports: string[] = [];

  constructor(private readonly workerScript: string) {}

  at(...names: string[]): string {
    return path.join(this.directory, ...names);
  }

  async openStore(limits: Limits = {}, root = this.directory) {
    const { mounts } = this;
    const leases = new Leases();
    const report = (message: string) => void this.reports.push(message);
    const blobs = new ContentStore(path.join(root, "content"), { leases });
    await blobs.open();
    const unpacker = new Unpacker({ workerScript: this.workerScript, maxWorkers: 2 });
    const layers = new LayerStore(
      { root: path.join(root, "layers"), ...limits },
      { blobs, leases, mounts, unpacker, report },
    );
    await layers.open();
    const snapshots = new Snapshots(path.join(root, "snapshots"), { mounts, report });
    await snapshots.open();
    return { leases, blobs, layers, snapshots };
  }

  /** Images below a directory of that name, as a daemon opens them at its start. */
  async openImages(name = "root"): Promise<ImageService> {
    const retry = { attempts: 2, firstPauseMs: 5, longestPauseMs: 10 };
    const service = new ImageService(
      { root: this.at(name), workerScript: this.workerScript, images, retry },
      { mounts: this.mounts, warn: (message) => void this.reports.push(message) },
    );
    await service.open();
    return service;
  }

  /** Takes the blobs of a layout in `layout/` into a store. */
  async ingest(blobs: ContentStore, layers: readonly Layer[]): Promise<void> {
    for (const { blob } of layers) {
      await blobs.ingest(blob, fs.createReadStream(this.at("layout", "blobs", "sha256", blob.digest.slice(7))));
    }
  }

  /** Unpacks an image and mounts it as a container's root file system; gives where. */
  async rootfsOf(layers: readonly Layer[]): Promise<string> {
    const store = await this.openStore();
    const end = store.leases.begin();
    await this.ingest(store.blobs, layers);
    await store.layers.ensure(layers);
    end();
    const chainIds = layers.map((layer) => layer.chainId);
    const target = this.at("rootfs");
    fs.mkdirSync(target);
    const id = "a".repeat(64) as ContainerId;
    await store.snapshots.prepare({ id, chainIds, layers: store.layers.diffPaths(chainIds), target });
    return target;
  }

  clean(): void {
    const below = readMountInfo().filter(({ mountPoint }) => mountPoint.startsWith(`${this.directory}/`));
    for (const { mountPoint } of below.reverse()) this.mounts.unmount(mountPoint);
    execFileSync("rm", ["-rf", this.directory]);
  }
}
