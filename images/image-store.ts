import fs from "node:fs";
import path from "node:path";
import { BerthError, messageOf } from "../api/errors";
import { type ChainId, type Digest, hexOf, type ImageId, isDigest, parseDigest } from "../api/ids";
import { removeTemporaries, syncDirectory, writeFileDurably } from "../sys/durable-file";
import { faultPoint } from "../sys/fault-points";
import { KeyedLock } from "../sys/keyed-lock";
import { MultiMap } from "../sys/multi-map";
import { PrefixMap } from "../sys/prefix-map";
import { diskError } from "./disk-error";
import { readSettings } from "./image-config";
import { isRecord } from "./json-object";
import { asImageId, formatReference, minIdLength, parseReference, repositoryName } from "./reference";
import type { Descriptor, ImageRecord } from "./types";

export interface ImageStoreModules {
  /** What is missing of an image, in words; undefined where it is all there. */
  missingOf(record: ImageRecord): string | undefined;
  /** Told what was found damaged and set aside. */
  report(message: string): void;
}

/**
 * Which images there are: a JSON file each, `<root>/<hex of the ID>.json`, written when all of the image is there. A
 * tag names one image. Answers come from memory.
 */
export class ImageStore {
  private readonly records = new PrefixMap<ImageId, ImageRecord>("sha256:".length + minIdLength);
  private readonly byName = new Map<string, ImageId>();
  /** By each blob (blobsOf()), and by each layer. */
  private readonly byBlob = new MultiMap<Digest, ImageRecord>();
  private readonly byLayer = new MultiMap<ChainId, ImageRecord>();
  private sorted: readonly ImageRecord[] | undefined;
  private readonly lock = new KeyedLock();

  constructor(
    private readonly root: string,
    private readonly modules: ImageStoreModules,
  ) {}

  /**
   * Reads all records; one that is damaged, or whose blobs or layers are not there, is reported and set aside. One after
   * the other without libuv's threads, which take twenty times as long for files so small, and nobody waits beside it.
   */
  async open(): Promise<void> {
    await fs.promises.mkdir(this.root, { recursive: true, mode: 0o700 });
    removeTemporaries(this.root);
    for (const name of await fs.promises.readdir(this.root)) {
      if (!name.endsWith(".json")) continue;
      const file = path.join(this.root, name);
      try {
        const record = parseImageRecord(fs.readFileSync(file, "utf8"));
        if (`${hexOf(record.id)}.json` !== name) throw new Error("it is of another image");
        const missing = this.modules.missingOf(record);
        if (missing !== undefined) throw new Error(missing);
        this.index(record);
      } catch (error) {
        this.modules.report(`image record ${file} is set aside, the image has to be pulled again: ${messageOf(error)}`);
        await fs.promises.rename(file, `${file}.damaged`).catch((cause) => this.modules.report(messageOf(cause)));
      }
    }
  }

  /**
   * Writes down an image that is there whole. Names that it shares with what is known of it are joined; a tag that
   * another image has moves to this one. Resolves when it is on disk.
   */
  put(record: ImageRecord): Promise<ImageRecord> {
    return this.lock.run("records", async () => {
      const known = this.records.get(record.id);
      const joined: ImageRecord = {
        ...record,
        tags: [...new Set([...(known?.tags ?? []), ...record.tags])],
        digests: [...new Set([...(known?.digests ?? []), ...record.digests])],
      };
      await faultPoint("PullImage.record");
      await this.write(joined);
      await faultPoint("PullImage.recorded");
      // after the new one, so that a crash between leaves a tag twice rather than nowhere
      for (const tag of joined.tags) {
        const before = this.records.get(this.byName.get(tag) as ImageId);
        if (!before || before.id === joined.id) continue;
        const without = { ...before, tags: before.tags.filter((other) => other !== tag) };
        await this.write(without);
        this.index(without);
      }
      this.index(joined);
      return joined;
    });
  }

  /**
   * Removes an image with all its names; it is in no list from the call on. Does nothing where it is gone. Throws
   * ResourceExhausted where the disk lets nothing be removed; then it is listed again.
   */
  async remove(id: ImageId): Promise<void> {
    const record = this.records.get(id);
    this.unindex(id);
    await this.lock.run("records", async () => {
      // put back meanwhile by a pull
      if (this.records.has(id)) return;
      try {
        await fs.promises.rm(this.fileOf(id), { force: true });
        await syncDirectory(this.root);
      } catch (error) {
        // it would be back after the next start
        if (record) this.index({ ...record, tags: record.tags.filter((tag) => !this.byName.has(tag)) });
        throw diskError(this.fileOf(id), error);
      }
    });
  }

  /**
   * The image that a text stands for: its ID, a name with a tag or a digest in any short form, or the beginning of an
   * ID that only one has. undefined where there is none.
   */
  resolve(text: string): ImageRecord | undefined {
    const hex = asImageId(text);
    if (hex?.length === 64) return this.records.get(`sha256:${hex}` as ImageId);
    const named = this.resolveName(text);
    if (named || hex === undefined) return named;
    const matches = this.records.startingWith(`sha256:${hex}`);
    return matches.length === 1 ? matches[0] : undefined;
  }

  get(id: ImageId): ImageRecord | undefined {
    return this.records.get(id);
  }

  /** Whether this is one of an image's blobs (blobsOf()). */
  usesBlob(digest: Digest): boolean {
    return this.byBlob.has(digest);
  }

  /** Whether an image has this layer. */
  usesLayer(chainId: ChainId): boolean {
    return this.byLayer.has(chainId);
  }

  /** All images, those pulled last first. */
  list(): readonly ImageRecord[] {
    this.sorted ??= [...this.records.values()].sort(pulledLastFirst);
    return this.sorted;
  }

  private resolveName(text: string): ImageRecord | undefined {
    try {
      const reference = parseReference(text);
      const id = this.byName.get(formatReference(reference));
      if (id) return this.records.get(id);
      if (reference.digest === undefined) return undefined;
      // the digest of the platform's manifest where the index was pulled
      return this.byBlob
        .get(reference.digest)
        .find(
          ({ manifest, tags, digests }) =>
            manifest === reference.digest &&
            [...tags, ...digests].some((name) => repositoryName(parseReference(name)) === repositoryName(reference)),
        );
    } catch {
      return undefined;
    }
  }

  private index(record: ImageRecord): void {
    this.unindex(record.id);
    this.records.set(record.id, record);
    this.sorted = undefined;
    for (const name of [...record.tags, ...record.digests]) this.byName.set(name, record.id);
    for (const digest of blobsOf(record)) this.byBlob.add(digest, record);
    for (const { chainId } of record.layers) this.byLayer.add(chainId, record);
  }

  private unindex(id: ImageId): void {
    const record = this.records.get(id);
    if (!record) return;
    this.records.delete(id);
    this.sorted = undefined;
    for (const name of [...record.tags, ...record.digests]) {
      if (this.byName.get(name) === id) this.byName.delete(name);
    }
    for (const digest of blobsOf(record)) this.byBlob.remove(digest, record);
    for (const { chainId } of record.layers) this.byLayer.remove(chainId, record);
  }

  private async write(record: ImageRecord): Promise<void> {
    const file = this.fileOf(record.id);
    await writeFileDurably(file, JSON.stringify({ version: 1, ...record })).catch((error) => {
      throw diskError(file, error);
    });
  }

  private fileOf(id: ImageId): string {
    return path.join(this.root, `${hexOf(id)}.json`);
  }
}

/** An image's configuration, its manifest, the indexes that it was pulled by, and its layers' blobs. */
export function blobsOf({ id, manifest, digests, layers }: ImageRecord): Digest[] {
  const named = digests.map((name) => name.slice(name.lastIndexOf("@") + 1)).filter(isDigest);
  return [...new Set([id, manifest, ...named, ...layers.map(({ blob }) => blob.digest)])];
}

/** Times are decimal numbers without leading zeros. */
const pulledLastFirst = ({ pulledAtNs: a }: ImageRecord, { pulledAtNs: b }: ImageRecord) =>
  b.length - a.length || (a < b ? 1 : a > b ? -1 : 0);

/** Reads a record back. Throws InvalidArgument where it is not one of this version. */
export function parseImageRecord(text: string): ImageRecord {
  const wrong = (what: string) => new BerthError("InvalidArgument", `${what} is missing or wrong`);
  const parsed: unknown = JSON.parse(text);
  if (!isRecord(parsed)) throw wrong("the object");
  const { version, ...record } = parsed as unknown as ImageRecord & { version: number };
  if (version !== 1) {
    const shown = typeof version === "number" ? `of version ${version}` : "without a version";
    throw new BerthError("InvalidArgument", `it is ${shown}, this is 1`);
  }
  parseDigest(record.id);
  parseDigest(record.manifest);
  const isTexts = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === "string");
  if (!isTexts(record.tags)) throw wrong("tags");
  if (!isTexts(record.digests)) throw wrong("digests");
  if (!isRecord(record.config)) throw wrong("config");
  const damaged = (reason: string) => new BerthError("InvalidArgument", `its config is damaged: ${reason}`);
  const config = readSettings(record.config, damaged);
  if (!Number.isSafeInteger(record.sizeBytes)) throw wrong("sizeBytes");
  if (!/^[0-9]{1,20}$/.test(record.pulledAtNs)) throw wrong("pulledAtNs");
  if (!Array.isArray(record.layers) || !record.layers.every(isLayer)) throw wrong("layers");
  return { ...record, config };
}

function isLayer(layer: unknown): boolean {
  if (!isRecord(layer)) return false;
  const blob = layer["blob"] as Descriptor | undefined;
  const isText = (value: unknown): value is string => typeof value === "string";
  const digests: unknown[] = [layer["diffId"], layer["chainId"], blob?.digest];
  return digests.every((digest) => isText(digest) && isDigest(digest as Digest)) && Number.isSafeInteger(blob?.size);
}
