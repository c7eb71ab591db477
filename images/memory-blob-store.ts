import { BerthError } from "../api/errors";
import type { Digest } from "../api/ids";
import { sha256 } from "./fake-registry";
import type { BlobStore, Descriptor } from "./types";

/** A BlobStore for tests. */
export class MemoryBlobStore implements BlobStore {
  readonly blobs = new Map<Digest, Buffer>();

  async has(digest: Digest): Promise<boolean> {
    return this.blobs.has(digest);
  }

  async read(digest: Digest, limitBytes: number): Promise<Buffer> {
    const blob = this.blobs.get(digest);
    if (!blob) throw new BerthError("NotFound", digest);
    if (blob.length > limitBytes) throw new BerthError("ResourceExhausted", digest);
    return blob;
  }

  pathOf(digest: Digest): string {
    return `/${digest}`;
  }

  async ingest(blob: Descriptor, source: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.blobs.has(blob.digest)) return;
    const chunks: Uint8Array[] = [];
    for await (const chunk of source) chunks.push(Buffer.from(chunk));
    const body = Buffer.concat(chunks);
    if (body.length !== blob.size) throw new BerthError("InvalidArgument", `${blob.digest} has the wrong size`);
    if (sha256(body) !== blob.digest) throw new BerthError("InvalidArgument", `${blob.digest} has the wrong digest`);
    this.blobs.set(blob.digest, body);
  }
}
