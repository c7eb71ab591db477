import type { TarEntry } from "./tar.cjs";

export type Compression = "none" | "gzip" | "zstd";
export interface Layer {
  bytes: Buffer;
  compression: Compression;
  diffId: string;
  digest: string;
  size: number;
}
export interface Blob {
  bytes: Buffer;
  mediaType: string;
  digest: string;
  size: number;
}
export interface Platform {
  architecture: string;
  os: string;
  variant?: string;
}
/** Its own bytes are the manifest's. */
export interface Image extends Blob {
  flavour: "oci" | "docker";
  platform: Platform;
  layers: Layer[];
  config: Blob;
  blobs: Blob[];
  manifests: [];
}
/** Its own bytes are the index's. */
export interface Index extends Blob {
  flavour: "oci" | "docker";
  blobs: Blob[];
  manifests: Image[];
}
export interface ImageSource {
  layers: Layer[];
  /** The "config" of the image's configuration: Env, Cmd, Entrypoint, User, ... */
  config?: Record<string, unknown>;
  flavour?: "oci" | "docker";
  /** As Go names it; this machine's where absent. */
  architecture?: string;
  variant?: string;
}
export function sha256(bytes: Uint8Array | string): string;
/** A layer of these entries, or of a tar archive as it is. */
export function makeLayer(entries: Iterable<TarEntry> | Buffer, compression?: Compression): Layer;
export function makeImage(source: ImageSource): Image;
/** An image index, or docker's manifest list, of images for several platforms. */
export function makeIndex(images: Image[]): Index;
/** A tar archive of an OCI image layout. */
export function ociArchive(name: string, image: Image | Index): Buffer;
/** A tar archive as `docker save` writes it, with plain layers. */
export function dockerArchive(name: string, image: Image): Buffer;
