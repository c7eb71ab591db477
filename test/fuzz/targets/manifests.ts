import type { ErrorCode } from "../../../api/errors";
import { isDigest } from "../../../api/ids";
import { parseImageConfig } from "../../../images/image-config";
import { type ManifestDocument, parseManifest } from "../../../images/manifest";
import { fetchManifests } from "../../../images/manifest-chain";
import { manifestMediaTypes, indexMediaTypes } from "../../../images/media-types";
import { MemoryBlobStore } from "../../../images/memory-blob-store";
import { choosePlatform, runnablePlatforms } from "../../../images/platform";
import type { Descriptor } from "../../../images/types";
import { checkError } from "../check-error";
import { type FuzzTarget, promise } from "../target";

const digest = `sha256:${"ab".repeat(32)}`;
const types = [...manifestMediaTypes, ...indexMediaTypes, "application/json", ""];
const runnable = runnablePlatforms({ arch: "x64", cpuFlags: [] });
const codes: ErrorCode[] = ["InvalidArgument", "FailedPrecondition", "NotFound", "ResourceExhausted"];

/**
 * Manifests, indexes and configurations, as one object `{ type, manifest, config }`: `type` says as what the manifest
 * comes. What is taken is what it says it is, and has no more in it than is told.
 */
export const target: FuzzTarget = {
  form: "json",
  seeds,
  async run(input) {
    let document: ManifestDocument | undefined;
    const { type, manifest, config } = partsOf(input);
    try {
      document = parseManifest(manifest, type);
    } catch (error) {
      checkError(error, codes);
    }
    if (document?.kind === "index") {
      for (const entry of document.entries) checkDescriptor(entry);
      try {
        choosePlatform(document.entries, runnable);
      } catch (error) {
        checkError(error, codes);
      }
    }
    const known = document?.kind === "manifest" ? document.manifest : oneLayer;
    if (document?.kind === "manifest") {
      for (const each of [known.config, ...known.layers]) checkDescriptor(each);
    }
    try {
      const parsed = parseImageConfig(config, known);
      promise(parsed.diffIds.length === known.layers.length, () => "there are not as many diff_ids as layers");
      promise(parsed.diffIds.every(isDigest), () => "a diff_id is no digest");
      checkSettings(parsed.config);
    } catch (error) {
      checkError(error, codes);
    }
    if (document?.kind === "index") await follow(manifest, type);
  },
};

const oneLayer = {
  digest,
  mediaType: manifestMediaTypes[0]!,
  config: { mediaType: "", digest, size: 1 },
  layers: [{ mediaType: "", digest, size: 1 }],
} as Parameters<typeof parseImageConfig>[1];

/** A registry that answers with this document whatever it is asked for. */
async function follow(body: Buffer, mediaType: string): Promise<void> {
  const descriptor = { mediaType, digest, size: body.length } as Descriptor;
  let asked = 0;
  const client = {
    resolve: async () => ({ descriptor, body }),
    fetchManifest: async () => {
      promise(++asked < 10, () => "it goes on for ever");
      return body;
    },
  };
  const store = Object.assign(new MemoryBlobStore(), { ingest: async () => {} });
  try {
    await fetchManifests(client as unknown as Parameters<typeof fetchManifests>[0], store);
  } catch (error) {
    checkError(error, codes);
  }
}

function checkDescriptor(descriptor: Descriptor): void {
  promise(isDigest(descriptor.digest), () => "a descriptor has no digest");
  promise(Number.isSafeInteger(descriptor.size) && descriptor.size >= 0, () => "a descriptor has no size");
  promise(descriptor.mediaType.length < 256, () => "a media type is long");
}

function checkSettings(settings: ReturnType<typeof parseImageConfig>["config"]): void {
  const again = JSON.parse(JSON.stringify(settings));
  promise(JSON.stringify(again) === JSON.stringify(settings), () => "settings change when they are kept");
  for (const list of [settings.Env, settings.Cmd, settings.Entrypoint]) {
    promise(list === undefined || list.every((item) => typeof item === "string"), () => "a list has no texts");
  }
}

function partsOf(input: Buffer): { type: string; manifest: Buffer; config: Buffer } {
  try {
    const { type, manifest, config } = JSON.parse(input.toString("utf8")) as Record<string, unknown>;
    const bytes = (value: unknown) => Buffer.from(JSON.stringify(value) ?? "");
    return { type: types[Number(type)] ?? String(type), manifest: bytes(manifest), config: bytes(config) };
  } catch {
    return { type: types[(input[0] ?? 0) % types.length]!, manifest: input, config: input };
  }
}

function seeds(): Buffer[] {
  const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size: 20 };
  const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 10 };
  const manifest = { schemaVersion: 2, mediaType: types[0], config, layers: [layer], annotations: { a: "b" } };
  const platform = { os: "linux", architecture: "amd64", variant: "v2" };
  const entry = { mediaType: types[0], digest, size: 5, platform, annotations: { a: "b" } };
  const nested = { mediaType: types[2], digest, size: 5, platform };
  const settings = {
    architecture: "amd64",
    os: "linux",
    created: "2026-01-01T00:00:00Z",
    rootfs: { type: "layers", diff_ids: [digest] },
    config: {
      User: "1000:1000",
      Env: ["A=b", "PATH=/bin"],
      Entrypoint: ["/bin/sh", "-c"],
      Cmd: ["true"],
      WorkingDir: "/w",
      Volumes: { "/data": {} },
      StopSignal: "SIGTERM",
      Labels: { a: "b" },
      ExposedPorts: { "80/tcp": {} },
    },
    history: [{ created_by: "x", empty_layer: true }],
  };
  const all = [
    { type: 0, manifest, config: settings },
    { type: 1, manifest: { ...manifest, mediaType: types[1] }, config: settings },
    {
      type: 2,
      manifest: { schemaVersion: 2, mediaType: types[2], manifests: [entry, nested] },
      config: { os: "linux" },
    },
    { type: 2, manifest: { schemaVersion: 2, mediaType: types[2], manifests: [nested] }, config: { os: "windows" } },
    { type: 4, manifest: { schemaVersion: 1, fsLayers: [], history: [] }, config: {} },
  ];
  return all.map((each) => Buffer.from(JSON.stringify(each)));
}
