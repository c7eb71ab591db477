import { parseImageConfig } from "./image-config";
import { parseManifest } from "./manifest";
import type { ImageManifest } from "./types";

const ociManifest = "application/vnd.oci.image.manifest.v1+json";
const ociIndex = "application/vnd.oci.image.index.v1+json";
const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
const dockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
const digest = `sha256:${"ab".repeat(32)}`;
const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 10 };
const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size: 20 };
const manifest = { schemaVersion: 2, mediaType: ociManifest, config, layers: [layer] };
const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [{ mediaType: ociManifest, digest, size: 5 }] };

const parse = (document: unknown, mediaType: string) => parseManifest(Buffer.from(JSON.stringify(document)), mediaType);

test("parseManifest() reads a manifest when it is OCI's or Docker's", () => {
  const parsed = parse(manifest, ociManifest);
  expect(parsed).toMatchObject({ kind: "manifest", manifest: { mediaType: ociManifest, config, layers: [layer] } });
  const docker = {
    schemaVersion: 2,
    mediaType: dockerManifest,
    config: { ...config, mediaType: "application/vnd.docker.container.image.v1+json" },
    layers: [{ ...layer, mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip", urls: [] }],
  };
  expect(parse(docker, dockerManifest).kind).toBe("manifest");
  expect(parse(docker, "application/json").kind).toBe("manifest");
  expect(parse({ ...manifest, mediaType: undefined }, ociManifest).kind).toBe("manifest");
});

test("parseManifest() reads an index when it is OCI's or Docker's", () => {
  const entry = {
    ...layer,
    mediaType: ociManifest,
    platform: { os: "linux", architecture: "arm", variant: "v7" },
    annotations: { a: "b", c: 5 },
  };
  expect(parse({ ...index, manifests: [entry] }, ociIndex)).toEqual({
    kind: "index",
    entries: [{ ...entry, annotations: { a: "b" } }],
  });
  expect(parse({ ...index, mediaType: dockerList }, dockerList).kind).toBe("index");
});

test.each([
  ["an index with layers", { ...index, layers: [layer] }, ociIndex],
  ["an index with a config", { ...index, config }, ociIndex],
  ["a manifest with manifests", { ...manifest, manifests: [] }, ociManifest],
  ["an index that came as a manifest", index, ociManifest],
  ["a manifest that came as an index", manifest, ociIndex],
  ["without any media type", { ...manifest, mediaType: undefined }, ""],
  ["of a media type that is no string", { ...manifest, mediaType: 5 }, ociManifest],
  ["of another schemaVersion", { ...manifest, schemaVersion: 3 }, ociManifest],
  ["with fsLayers", { ...manifest, fsLayers: [] }, ociManifest],
  ["without a config", { ...manifest, config: undefined }, ociManifest],
  ["without layers", { ...manifest, layers: null }, ociManifest],
  ["with a foreign layer", { ...manifest, layers: [{ ...layer, urls: ["https://x"] }] }, ociManifest],
  ["with a malformed digest", { ...manifest, layers: [{ ...layer, digest: "sha256:../../x" }] }, ociManifest],
  ["with a sha512 digest", { ...manifest, config: { ...config, digest: `sha512:${"a".repeat(128)}` } }, ociManifest],
  ["with a negative size", { ...manifest, layers: [{ ...layer, size: -1 }] }, ociManifest],
  ["with a fractional size", { ...manifest, layers: [{ ...layer, size: 1.5 }] }, ociManifest],
  ["with a size beyond 2^53", { ...manifest, layers: [{ ...layer, size: 2 ** 54 }] }, ociManifest],
  ["with a size of text", { ...manifest, layers: [{ ...layer, size: "5" }] }, ociManifest],
  ["that is a list", [], ociManifest],
])("parseManifest() throws InvalidArgument when the document is one %s", (_, document, mediaType) => {
  expect(() => parse(document, mediaType)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
});

test.each([
  ["schema 1", { schemaVersion: 1, fsLayers: [] }, "application/vnd.docker.distribution.manifest.v1+prettyjws"],
  [
    "an artifact",
    { ...manifest, config: { ...config, mediaType: "application/vnd.cncf.helm.config.v1+json" } },
    ociManifest,
  ],
  ["of another type", { ...manifest, mediaType: "application/vnd.example" }, ""],
  [
    "of nondistributable layers",
    { ...manifest, layers: [{ ...layer, mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" }] },
    ociManifest,
  ],
])("parseManifest() throws FailedPrecondition when the document is %s", (_, document, mediaType) => {
  expect(() => parse(document, mediaType)).toThrow(expect.objectContaining({ code: "FailedPrecondition" }));
});

test("parseManifest() throws InvalidArgument when it is not JSON or not UTF-8", () => {
  for (const body of [Buffer.from("{"), Buffer.from([0x22, 0xff, 0x22])]) {
    expect(() => parseManifest(body, ociManifest)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  }
});

const parsedManifest = (parse(manifest, ociManifest) as { manifest: ImageManifest }).manifest;
const image = { architecture: "amd64", os: "linux", config: {}, rootfs: { type: "layers", diff_ids: [digest] } };
const parseConfig = (document: unknown) => parseImageConfig(Buffer.from(JSON.stringify(document)), parsedManifest);

test("parseImageConfig() keeps what containers follow when the configuration is right", () => {
  const settings = {
    User: "1",
    Env: ["A=b"],
    Cmd: ["sh"],
    Labels: { ["__proto__"]: "x", b: "c" },
    Volumes: { "/v": {} },
  };
  expect(parseConfig({ ...image, created: "2024-01-01T00:00:00Z", config: { ...settings, Entrypoint: null } })).toEqual(
    {
      architecture: "amd64",
      os: "linux",
      created: "2024-01-01T00:00:00Z",
      config: settings,
      diffIds: [digest],
    },
  );
  expect(parseConfig({ ...image, config: null }).config).toEqual({});
});

test.each([
  ["too few diff_ids", { ...image, rootfs: { diff_ids: [] } }],
  ["no rootfs", { ...image, rootfs: undefined }],
  ["a malformed diff_id", { ...image, rootfs: { diff_ids: ["sha256:x"] } }],
  ["an Env that is text", { ...image, config: { Env: "A=b" } }],
  ["a Cmd with a number", { ...image, config: { Cmd: [1] } }],
  ["a User that is a number", { ...image, config: { User: 0 } }],
  ["a label that is no text", { ...image, config: { Labels: { a: {} } } }],
  ["Volumes that are a list", { ...image, config: { Volumes: ["/v"] } }],
  ["a config that is text", { ...image, config: "x" }],
])("parseImageConfig() throws InvalidArgument when it has %s", (_, document) => {
  expect(() => parseConfig(document)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
});

test("parseImageConfig() throws FailedPrecondition when the image is for windows", () => {
  expect(() => parseConfig({ ...image, os: "windows" })).toThrow(
    expect.objectContaining({ code: "FailedPrecondition" }),
  );
});
