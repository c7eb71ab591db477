import type { Digest, ImageId } from "../api/ids";

/** Points to a blob (OCI image spec, descriptor.md). */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  /** Bytes as stored, compressed. */
  size: number;
}

/** The part of an image's configuration that containers follow (OCI image spec, config.md). */
export interface ImageConfig {
  architecture: string;
  os: string;
  created?: string;
  config: {
    User?: string;
    Env?: string[];
    Entrypoint?: string[];
    Cmd?: string[];
    WorkingDir?: string;
    Volumes?: Record<string, unknown>;
    StopSignal?: string;
    Labels?: Record<string, string>;
    ExposedPorts?: Record<string, unknown>;
  };
  /** Digest of each layer's tar, uncompressed, bottom first. */
  diffIds: Digest[];
}

/** What a manifest says, of one platform. */
export interface ImageManifest {
  digest: Digest;
  mediaType: string;
  config: Descriptor;
  /** Bottom first. */
  layers: Descriptor[];
}

/** An image that is there whole: every blob verified, every layer unpacked. Kept as JSON. */
export interface ImageRecord {
  /** The digest of the configuration: the same from every registry. */
  id: ImageId;
  /** The digest of the manifest of this platform. */
  manifest: Digest;
  /** Normalised, "docker.io/library/busybox:latest". */
  tags: string[];
  /** Normalised, "docker.io/library/busybox@sha256:…", of the manifest or the index that was pulled. */
  digests: string[];
  /** Bottom first. chainId names the unpacked tree of this layer upon those below. */
  layers: { blob: Descriptor; diffId: Digest; chainId: Digest }[];
  config: ImageConfig["config"];
  /** Bytes of all layers unpacked. */
  sizeBytes: number;
  /** ns since 1970, decimal. */
  pulledAtNs: string;
}

/** Credentials for one registry, already chosen. */
export interface Credentials {
  username?: string;
  password?: string;
  /** A refresh token (Docker's identitytoken). */
  identityToken?: string;
  /** A bearer token to be sent as it is. */
  registryToken?: string;
}

/** Called as a pull goes on, for progress bars; bytes are as transferred. */
export type PullProgress = (event: {
  digest: Digest;
  state: "waiting" | "downloading" | "verifying" | "unpacking" | "done";
  doneBytes: number;
  totalBytes: number;
}) => void;

/** Where verified blobs are (images/content-store.ts). */
export interface BlobStore {
  has(digest: Digest): Promise<boolean>;
  /**
   * The whole of a small blob, verified. Throws NotFound, also where it has been damaged on the disk, by which it goes;
   * ResourceExhausted where it is larger than `limitBytes`.
   */
  read(digest: Digest, limitBytes: number): Promise<Buffer>;
  /** The file of a blob that is there. */
  pathOf(digest: Digest): string;
  /**
   * Takes in a blob as it arrives: refused at the first byte too many, committed only when size and digest are right,
   * and then durable. One that is there already is left alone. Throws InvalidArgument on a wrong size or digest.
   */
  ingest(blob: Descriptor, source: AsyncIterable<Uint8Array>, onBytes?: (count: number) => void): Promise<void>;
}
