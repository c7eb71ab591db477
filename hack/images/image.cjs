// Images of the OCI image spec and of docker's schema 2, made in memory.
const { createHash } = require("node:crypto");
const zlib = require("node:zlib");
const { tar } = require("./tar.cjs");

const CREATED = "2023-11-14T22:13:20Z";
const ARCHITECTURE = process.arch === "x64" ? "amd64" : process.arch;
const MEDIA_TYPES = {
  oci: {
    config: "application/vnd.oci.image.config.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    index: "application/vnd.oci.image.index.v1+json",
    layer: {
      none: "application/vnd.oci.image.layer.v1.tar",
      gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
      zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
    },
  },
  docker: {
    config: "application/vnd.docker.container.image.v1+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    layer: {
      none: "application/vnd.docker.image.rootfs.diff.tar",
      gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
      zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
    },
  },
};
const COMPRESS = {
  none: (bytes) => bytes,
  gzip: (bytes) => zlib.gzipSync(bytes, { level: 6 }),
  zstd: (bytes) => zlib.zstdCompressSync(bytes),
};

const sha256 = (bytes) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const blob = (bytes, mediaType) => ({ bytes, mediaType, digest: sha256(bytes), size: bytes.length });
const json = (value, mediaType) => blob(Buffer.from(JSON.stringify(value)), mediaType);
const descriptor = ({ mediaType, digest, size }) => ({ mediaType, digest, size });

function makeLayer(entries, compression = "gzip") {
  const plain = Buffer.isBuffer(entries) ? entries : tar(entries);
  const bytes = COMPRESS[compression](plain);
  return { bytes, compression, diffId: sha256(plain), digest: sha256(bytes), size: bytes.length };
}

function makeImage({ layers, config = {}, flavour = "oci", architecture = ARCHITECTURE, variant }) {
  const types = MEDIA_TYPES[flavour];
  const platform = { architecture, os: "linux", ...(variant ? { variant } : {}) };
  const configuration = {
    ...platform,
    created: CREATED,
    config,
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map((_, n) => ({ created: CREATED, created_by: `layer ${n}` })),
  };
  const configBlob = json(configuration, types.config);
  const layerBlobs = layers.map(({ bytes, compression, digest, size }) => {
    return { bytes, mediaType: types.layer[compression], digest, size };
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptor(configBlob),
    layers: layerBlobs.map(descriptor),
  };
  return {
    ...json(manifest, types.manifest),
    flavour,
    platform,
    layers,
    config: configBlob,
    blobs: [...new Map([configBlob, ...layerBlobs].map((one) => [one.digest, one])).values()],
    manifests: [],
  };
}

function makeIndex(images) {
  const { flavour } = images[0];
  const types = MEDIA_TYPES[flavour];
  const index = {
    schemaVersion: 2,
    mediaType: types.index,
    manifests: images.map((image) => ({ ...descriptor(image), platform: image.platform })),
  };
  return { ...json(index, types.index), flavour, blobs: images.flatMap((image) => image.blobs), manifests: images };
}

const blobPath = ({ digest }) => `blobs/${digest.replace(":", "/")}`;

function ociArchive(name, image) {
  const contents = [image, ...image.manifests, ...image.blobs];
  const unique = [...new Map(contents.map((one) => [one.digest, one])).values()];
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.oci.index,
    manifests: [{ ...descriptor(image), annotations: { "org.opencontainers.image.ref.name": name } }],
  };
  return tar([
    { path: "oci-layout", body: JSON.stringify({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", body: JSON.stringify(index) },
    { path: "blobs", type: "dir" },
    { path: "blobs/sha256", type: "dir" },
    ...unique.map((one) => ({ path: blobPath(one), body: one.bytes })),
  ]);
}

function dockerArchive(name, image) {
  const layerPath = (layer) => `${layer.diffId.slice("sha256:".length)}/layer.tar`;
  const plain = (layer) => (layer.compression === "gzip" ? zlib.gunzipSync(layer.bytes) : layer.bytes);
  const configPath = `${image.config.digest.slice("sha256:".length)}.json`;
  const manifest = [{ Config: configPath, RepoTags: [name], Layers: image.layers.map(layerPath) }];
  const layers = [...new Map(image.layers.map((layer) => [layer.diffId, layer])).values()];
  return tar([
    { path: configPath, body: image.config.bytes },
    ...layers.map((layer) => ({ path: layerPath(layer), body: plain(layer) })),
    { path: "manifest.json", body: JSON.stringify(manifest) },
  ]);
}

module.exports = { sha256, makeLayer, makeImage, makeIndex, ociArchive, dockerArchive };
