import { createHash } from "node:crypto";
import { BerthError } from "../api/errors";
import { type Digest, isDigest } from "../api/ids";
import { isRecord, parseJsonObject } from "./json-object";
import {
  configMediaTypes,
  indexMediaTypes,
  layerMediaTypes,
  manifestMediaTypes,
  schema1MediaTypes,
} from "./media-types";
import type { IndexEntry } from "./platform";
import type { Descriptor, ImageManifest } from "./types";

export type ManifestDocument = { kind: "manifest"; manifest: ImageManifest } | { kind: "index"; entries: IndexEntry[] };

/** No manifest is larger (OCI distribution spec, "Pushing manifests" lets registries draw the line here). */
export const maxManifestBytes = 4 << 20;

/**
 * Reads a manifest or an index of OCI (image spec, manifest.md and image-index.md) or Docker (schema 2). What the
 * document is must be sure: the media type that came with it and the one in it agree, and it is not both
 * (CVE-2021-41190). Throws InvalidArgument for what it must not be, FailedPrecondition for what is not supported.
 */
export function parseManifest(body: Uint8Array, mediaType: string): ManifestDocument {
  const digest = `sha256:${createHash("sha256").update(body).digest("hex")}` as Digest;
  const document = parseJsonObject(body, `manifest ${digest}`);
  const type = agreedMediaType(document, mediaType, digest);
  const has = (key: string) => document[key] !== undefined && document[key] !== null;
  if (indexMediaTypes.includes(type)) {
    if (has("config") || has("layers")) throw wrong(digest, "it is an index and an image at once");
    return {
      kind: "index",
      entries: list(document["manifests"], digest, "manifests").map((e) => readEntry(e, digest)),
    };
  }
  if (has("manifests")) throw wrong(digest, "it is an image and an index at once");
  return { kind: "manifest", manifest: readManifest(document, digest, type) };
}

function agreedMediaType(document: Record<string, unknown>, outer: string, digest: Digest): string {
  const inner = document["mediaType"] ?? "";
  const known = (type: string) => manifestMediaTypes.includes(type) || indexMediaTypes.includes(type);
  if (typeof inner !== "string") throw wrong(digest, "its mediaType is not a string");
  if (schema1MediaTypes.includes(outer) || schema1MediaTypes.includes(inner) || document["schemaVersion"] === 1) {
    throw new BerthError("FailedPrecondition", `manifest ${digest} is of Docker's schema 1, which is not supported`, {
      hint: "Push the image again with a current tool.",
    });
  }
  if (document["fsLayers"] !== undefined) throw wrong(digest, "it has the fsLayers of schema 1");
  if (document["schemaVersion"] !== 2) throw wrong(digest, "its schemaVersion is not 2");
  if (inner !== "" && !known(inner)) {
    throw new BerthError(
      "FailedPrecondition",
      `manifest ${digest} is of the media type "${inner.slice(0, 100)}", not an image`,
    );
  }
  if (inner !== "" && known(outer) && inner !== outer) {
    throw wrong(digest, `it says that it is ${inner}, and came as ${outer}`);
  }
  // registries that serve files say application/json or nothing
  const agreed = inner || outer;
  if (!known(agreed)) throw wrong(digest, "neither it nor the registry says its media type");
  return agreed;
}

function readManifest(document: Record<string, unknown>, digest: Digest, mediaType: string): ImageManifest {
  const config = readDescriptor(document["config"], digest, "config");
  if (!configMediaTypes.includes(config.mediaType)) {
    throw new BerthError(
      "FailedPrecondition",
      `manifest ${digest} holds no container image: its configuration is "${config.mediaType}"`,
    );
  }
  const layers = list(document["layers"], digest, "layers").map((layer, index) => {
    const name = `layer ${index}`;
    const { urls } = isRecord(layer) ? layer : {};
    if (Array.isArray(urls) && urls.length > 0) throw wrong(digest, `${name} is to be fetched from a foreign URL`);
    const descriptor = readDescriptor(layer, digest, name);
    if (!layerMediaTypes.includes(descriptor.mediaType)) {
      throw new BerthError(
        "FailedPrecondition",
        `manifest ${digest}: ${name} is of the media type "${descriptor.mediaType}", which is not supported`,
      );
    }
    return descriptor;
  });
  return { digest, mediaType, config, layers };
}

function readEntry(value: unknown, digest: Digest): IndexEntry {
  const entry: IndexEntry = { ...readDescriptor(value, digest, "an entry"), annotations: {} };
  const { platform, annotations } = value as Record<string, unknown>;
  if (isRecord(platform)) {
    const text = (key: string) => (typeof platform[key] === "string" ? (platform[key] as string) : "");
    entry.platform = { os: text("os"), architecture: text("architecture"), variant: text("variant") };
  }
  if (isRecord(annotations)) {
    entry.annotations = Object.fromEntries(
      Object.entries(annotations).filter((pair): pair is [string, string] => typeof pair[1] === "string"),
    );
  }
  return entry;
}

function readDescriptor(value: unknown, manifest: Digest, name: string): Descriptor {
  if (!isRecord(value)) throw wrong(manifest, `${name} is missing or not an object`);
  const { mediaType, digest, size } = value;
  if (typeof digest !== "string" || !isDigest(digest)) {
    const shown = typeof digest === "string" ? `"${digest.slice(0, 100)}"` : typeof digest;
    throw wrong(manifest, `${name} has ${shown} for a sha256 digest`);
  }
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw wrong(manifest, `${name} has an impossible size`);
  }
  if (typeof mediaType !== "string" || mediaType === "" || mediaType.length > 255) {
    throw wrong(manifest, `${name} has no media type`);
  }
  return { mediaType, digest, size };
}

function list(value: unknown, digest: Digest, name: string): unknown[] {
  if (!Array.isArray(value)) throw wrong(digest, `its ${name} are not a list`);
  return value;
}

function wrong(digest: Digest, reason: string): BerthError {
  return new BerthError("InvalidArgument", `manifest ${digest} is refused: ${reason}`);
}
