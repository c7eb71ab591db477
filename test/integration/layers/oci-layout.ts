import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Digest } from "../../../api/ids";
import { chainIdsOf } from "../../../images/chain-id";
import type { Layer } from "../../../images/layer-store";

export const sha256 = (data: Buffer) => `sha256:${createHash("sha256").update(data).digest("hex")}` as Digest;

/** Writes an OCI layout with one image, tagged "test", of these tars (bottom first). Returns its layers. */
export function writeLayout(directory: string, tars: Buffer[], compression: "gzip" | "zstd" | "none" = "gzip") {
  fs.mkdirSync(path.join(directory, "blobs", "sha256"), { recursive: true });
  const put = (data: Buffer, mediaType: string) => {
    const digest = sha256(data);
    fs.writeFileSync(path.join(directory, "blobs", "sha256", digest.slice(7)), data);
    return { mediaType, digest, size: data.length };
  };
  const compress = { gzip: gzipSync, zstd: zstdFrames, none: (data: Buffer) => data }[compression];
  const suffix = compression === "none" ? "" : `+${compression}`;
  const blobs = tars.map((tar) => put(compress(tar), `application/vnd.oci.image.layer.v1.tar${suffix}`));
  const diffIds = tars.map(sha256);
  const config = put(
    Buffer.from(
      JSON.stringify({
        architecture: "amd64",
        os: "linux",
        config: { Cmd: ["/bin/sh"] },
        rootfs: { type: "layers", diff_ids: diffIds },
      }),
    ),
    "application/vnd.oci.image.config.v1+json",
  );
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = put(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers: blobs })),
    manifestType,
  );
  const named = { ...manifest, annotations: { "org.opencontainers.image.ref.name": "test" } };
  fs.writeFileSync(path.join(directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  fs.writeFileSync(path.join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  const chainIds = chainIdsOf(diffIds);
  const layers: Layer[] = blobs.map((blob, index) => ({ blob, diffId: diffIds[index]!, chainId: chainIds[index]! }));
  return { layers, manifest, config };
}

/** Many frames with skippable ones between, as builders write that let single files be fetched. */
function zstdFrames(data: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < data.length; at += 5000) {
    const skippable = Buffer.from("\x50\x2a\x4d\x18\x04\0\0\0skip", "latin1");
    frames.push(zstdCompressSync(data.subarray(at, at + 5000)), skippable);
  }
  return Buffer.concat(frames);
}
