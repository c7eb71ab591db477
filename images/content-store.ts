import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { BerthError, during } from "../api/errors";
import { type Digest, hexOf, isDigest } from "../api/ids";
import { syncDirectory } from "../sys/durable-file";
import { faultPoint } from "../sys/fault-points";
import { errnoOf } from "../sys/libc";
import { diskError } from "./disk-error";
import type { DiskUsage } from "./disk-usage";
import type { Leases } from "./leases";
import type { BlobStore, Descriptor } from "./types";

/**
 * Blobs by their digest, under `<root>/blobs/sha256/`. One is there whole, or not at all: it is written aside in
 * `<root>/ingest/`, checked, synced and renamed.
 */
export class ContentStore implements BlobStore {
  private readonly blobs: string;
  private readonly incoming: string;
  /** Of each blob that is there, or that a record says is: a file of another size is damaged. */
  private readonly sizes = new Map<Digest, number>();

  constructor(
    root: string,
    private readonly modules: { leases: Leases },
  ) {
    this.blobs = path.join(root, "blobs", "sha256");
    this.incoming = path.join(root, "ingest");
  }

  /** Makes the directories and throws away what a crash has left half written. */
  async open(): Promise<void> {
    await fs.promises.mkdir(this.blobs, { recursive: true, mode: 0o700 });
    await fs.promises.rm(this.incoming, { recursive: true, force: true });
    await fs.promises.mkdir(this.incoming, { mode: 0o700 });
    for (const digest of this.list()) this.sizes.set(digest, fs.statSync(this.pathOf(digest)).size);
  }

  pathOf(digest: Digest): string {
    return path.join(this.blobs, hexOf(digest));
  }

  /** A damaged blob, one of another size than it had, is removed and not there. */
  async has(digest: Digest): Promise<boolean> {
    this.modules.leases.touchBlob(digest);
    const size = await this.sizeOf(digest);
    if (size === undefined) {
      this.sizes.delete(digest);
      return false;
    }
    const expected = this.sizes.get(digest);
    if (expected === undefined) this.sizes.set(digest, size);
    if (expected === undefined || expected === size) return true;
    this.delete(digest);
    return false;
  }

  /** A record says what size this blob has; a file of another one is damaged, which has() will find. */
  expect({ digest, size }: Descriptor): void {
    if (this.sizes.has(digest)) this.sizes.set(digest, size);
  }

  /** Whether a blob is there, of whatever size. */
  isThere(digest: Digest): boolean {
    return fs.existsSync(this.pathOf(digest));
  }

  /** Whether a blob is there with the size that a record has for it. Nothing is removed. */
  isWhole({ digest, size }: Descriptor): boolean {
    return fs.statSync(this.pathOf(digest), { throwIfNoEntry: false })?.size === size;
  }

  async read(digest: Digest, limitBytes: number): Promise<Buffer> {
    if (!(await this.has(digest))) throw new BerthError("NotFound", `blob ${digest} is not there`);
    const size = this.sizes.get(digest) ?? 0;
    if (size > limitBytes) {
      throw new BerthError("ResourceExhausted", `blob ${digest} has ${size} bytes, more than ${limitBytes}`);
    }
    const bytes = await fs.promises.readFile(this.pathOf(digest)).catch((error) => {
      if (errnoOf(error) !== "EIO") throw during(`reading blob ${digest}`, error);
    });
    if (bytes && digestOf(bytes) === digest) return bytes;
    this.delete(digest);
    throw new BerthError("NotFound", `blob ${digest} was damaged on the disk and is gone`);
  }

  async ingest(blob: Descriptor, source: AsyncIterable<Uint8Array>, onBytes?: (count: number) => void): Promise<void> {
    if ((await this.has(blob.digest)) && this.sizes.get(blob.digest) === blob.size) return;
    await this.write(source, { limitBytes: blob.size, expected: blob, onBytes });
  }

  /** Takes in what has no digest yet, up to `limitBytes`, as ingest() does. */
  async ingestUnnamed(
    source: AsyncIterable<Uint8Array>,
    limitBytes: number,
  ): Promise<{ digest: Digest; size: number }> {
    return this.write(source, { limitBytes });
  }

  /** Removes a blob; returns whether it was there. Throws ResourceExhausted where the disk lets nothing be removed. */
  delete(digest: Digest): boolean {
    let wasThere = true;
    try {
      fs.unlinkSync(this.pathOf(digest));
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw diskError(this.pathOf(digest), error);
      wasThere = false;
    }
    this.sizes.delete(digest);
    return wasThere;
  }

  list(): Digest[] {
    return fs
      .readdirSync(this.blobs)
      .map((name) => `sha256:${name}`)
      .filter(isDigest);
  }

  usage(): DiskUsage {
    let usedBytes = 0;
    for (const size of this.sizes.values()) usedBytes += size;
    return { usedBytes, inodes: this.sizes.size };
  }

  /** Reads the blobs again, whole, and removes those that are not what they are named. Returns what was removed. */
  async removeDamaged(digests: readonly Digest[]): Promise<Digest[]> {
    const removed: Digest[] = [];
    for (const digest of digests) {
      const hash = createHash("sha256");
      try {
        for await (const chunk of fs.createReadStream(this.pathOf(digest))) hash.update(chunk as Buffer);
        if (`sha256:${hash.digest("hex")}` === digest) continue;
      } catch (error) {
        // unreadable is as bad as gone, but a want of descriptors or memory says nothing of the blob
        if (/^(EMFILE|ENFILE|ENOMEM|EAGAIN)$/.test(errnoOf(error) ?? "")) throw error;
      }
      this.delete(digest);
      removed.push(digest);
    }
    return removed;
  }

  private async sizeOf(digest: Digest): Promise<number | undefined> {
    const stats = await fs.promises.stat(this.pathOf(digest)).catch(() => undefined);
    return stats?.isFile() ? stats.size : undefined;
  }

  private async write(
    source: AsyncIterable<Uint8Array>,
    { limitBytes, expected, onBytes }: WriteRequest,
  ): Promise<{ digest: Digest; size: number }> {
    const temporary = path.join(this.incoming, randomBytes(12).toString("hex"));
    try {
      const written = await writeHashed(temporary, source, { limitBytes, expected, onBytes });
      if (expected) checkWritten(expected, written);
      await this.take(temporary, written);
      return written;
    } catch (error) {
      // on a disk that lets nothing be removed it goes with the next start
      await fs.promises.rm(temporary, { force: true }).catch(() => {});
      throw error instanceof BerthError ? error : diskError(temporary, error);
    }
  }

  /** From here on it is there. The lease is for a pull that is given up meanwhile: its blob stays known to the leases. */
  private async take(temporary: string, { digest, size }: { digest: Digest; size: number }): Promise<void> {
    const { leases } = this.modules;
    const endLease = leases.begin();
    try {
      leases.touchBlob(digest);
      await faultPoint("PullImage.blob-rename");
      await fs.promises.rename(temporary, this.pathOf(digest));
      await faultPoint("PullImage.blob-renamed");
      await syncDirectory(this.blobs);
      this.sizes.set(digest, size);
    } finally {
      endLease();
    }
  }
}

const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;

interface WriteRequest {
  limitBytes: number;
  expected?: Descriptor;
  onBytes?: (count: number) => void;
}

/** Writes a file and waits for the disk. Errors of the source go through as they are. */
async function writeHashed(
  file: string,
  source: AsyncIterable<Uint8Array>,
  { limitBytes, expected, onBytes }: WriteRequest,
): Promise<{ digest: Digest; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  const onDisk = <T>(work: Promise<T>) =>
    work.catch((error) => {
      throw diskError(file, error);
    });
  const handle = await onDisk(fs.promises.open(file, "wx", 0o600));
  try {
    for await (const chunk of source) {
      size += chunk.length;
      if (size > limitBytes) {
        const name = expected ? `blob ${expected.digest}` : "the blob";
        const code = expected ? "InvalidArgument" : "ResourceExhausted";
        throw new BerthError(code, `${name} is longer than ${limitBytes} bytes`);
      }
      hash.update(chunk);
      for (let done = 0; done < chunk.length; ) {
        done += (await onDisk(handle.write(chunk, done, chunk.length - done))).bytesWritten;
      }
      onBytes?.(chunk.length);
    }
    await onDisk(handle.sync());
  } finally {
    await handle.close();
  }
  return { digest: `sha256:${hash.digest("hex")}` as Digest, size };
}

function checkWritten(expected: Descriptor, written: { digest: Digest; size: number }): void {
  const { digest, size } = expected;
  if (written.size !== size) {
    throw new BerthError("InvalidArgument", `blob ${digest} has ${written.size} bytes, not ${size}`);
  }
  if (written.digest !== digest) {
    throw new BerthError("InvalidArgument", `blob ${digest} came with the digest ${written.digest}`);
  }
}
