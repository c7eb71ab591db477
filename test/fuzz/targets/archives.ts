import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { importArchive } from "../../../images/archive-import";
import { ContentStore } from "../../../images/content-store";
import { Leases } from "../../../images/leases";
import { Canary, workDirectory } from "../canary";
import { checkError } from "../check-error";
import { header, tar } from "../tar-seeds";
import { type FuzzTarget, promise } from "../target";

const root = path.join(workDirectory, "root");
const file = path.join(workDirectory, "archive.tar");
const canary = new Canary(path.join(workDirectory, "canary"));
const limits = { mostMembers: 64, mostBlobBytes: 1 << 20, mostRatio: 200, allowedBytes: 8 << 20 };

interface Member {
  /** Stands for its digest in the data of later members, as "@ID", and for its size as "#ID". */
  id?: unknown;
  path?: unknown;
  type?: unknown;
  link?: unknown;
  data?: unknown;
}

/** Archives of images: a list of members, or what is no JSON as the archive itself. */
export const target: FuzzTarget = {
  form: "json",
  seeds,
  async run(input) {
    fs.rmSync(root, { recursive: true, force: true });
    fs.writeFileSync(file, archiveOf(input));
    const store = new ContentStore(root, { leases: new Leases() });
    await store.open();
    try {
      for (const { names, manifest } of await importArchive(file, store, { limits })) {
        promise(
          names.every((name) => /^[^/]+\/.+[:@]/.test(name)),
          () => `the names ${names.join(", ")}`,
        );
        for (const { digest } of [manifest.config, ...manifest.layers]) {
          promise(await store.has(digest), () => `an image is taken in without its blob ${digest}`);
        }
      }
    } catch (error) {
      checkError(error, ["InvalidArgument", "FailedPrecondition", "ResourceExhausted", "NotFound"]);
    }
    canary.check();
    const beside = fs.readdirSync(workDirectory).sort().join();
    promise(beside === "archive.tar,canary,root", () => `beside the store there is ${beside}`);
  },
};

function archiveOf(input: Buffer): Buffer {
  let members: Member[];
  try {
    const parsed: unknown = JSON.parse(input.toString("utf8"));
    if (!Array.isArray(parsed)) return input;
    members = parsed.filter((member) => typeof member === "object" && member !== null);
  } catch {
    return input;
  }
  const known = new Map<string, { digest: string; size: number }>();
  const filled = (text: string) =>
    text
      .replace(/@(\w+)/g, (all, id) => known.get(id)?.digest ?? all)
      .replace(/"#(\w+)"/g, (all, id) => String(known.get(id)?.size ?? all));
  const blocks = members.slice(0, 80).map(({ id, path: name, type, link, data }) => {
    const bytes = Buffer.from(filled(typeof data === "string" ? data : (JSON.stringify(data) ?? "")));
    const hex = createHash("sha256").update(bytes).digest("hex");
    known.set(String(typeof id === "string" ? id : ""), { digest: `sha256:${hex}`, size: bytes.length });
    const text = (value: unknown) => (typeof value === "string" ? value : "");
    const full = text(name).replace("*", hex).slice(0, 100);
    return tar({ ...header(full, text(type).slice(0, 1) || "0"), link: text(link).slice(0, 100), data: bytes });
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function seeds(): Buffer[] {
  const layer = { id: "layer", path: "blobs/sha256/*", data: "a layer" };
  const settings = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: ["@layer"] }, config: {} };
  const config = { id: "config", path: "blobs/sha256/*", data: settings };
  const type = "application/vnd.oci.image";
  const descriptor = (id: string, mediaType: string) => ({ mediaType, digest: `@${id}`, size: `#${id}` });
  const manifest = {
    id: "manifest",
    path: "blobs/sha256/*",
    data: {
      schemaVersion: 2,
      mediaType: `${type}.manifest.v1+json`,
      config: descriptor("config", `${type}.config.v1+json`),
      layers: [descriptor("layer", `${type}.layer.v1.tar`)],
    },
  };
  const annotations = { "org.opencontainers.image.ref.name": "a.io/b:1" };
  const entry = { ...descriptor("manifest", `${type}.manifest.v1+json`), annotations };
  const index = { path: "index.json", data: { schemaVersion: 2, manifests: [entry] } };
  const nested = { id: "nested", path: "blobs/sha256/*", data: { ...index.data, mediaType: `${type}.index.v1+json` } };
  const outer = {
    path: "index.json",
    data: { schemaVersion: 2, manifests: [descriptor("nested", `${type}.index.v1+json`)] },
  };
  const docker = {
    path: "manifest.json",
    data: [{ Config: "c.json", RepoTags: ["a:1"], Layers: ["l/layer.tar", "m/layer.tar"] }],
  };
  const twoLayers = { ...settings, rootfs: { type: "layers", diff_ids: ["@layer", "@layer"] } };
  return [
    [{ path: "oci-layout", data: { imageLayoutVersion: "1.0.0" } }, layer, config, manifest, index],
    [layer, config, manifest, nested, outer],
    [
      { ...layer, path: "l/layer.tar" },
      { path: "m/layer.tar", type: "2", link: "../l/layer.tar" },
      { path: "c.json", data: twoLayers },
      docker,
    ],
    [
      { path: "../canary/secret", data: "x" },
      { path: "d", type: "2", link: "/canary" },
    ],
  ].map((members) => Buffer.from(JSON.stringify(members)));
}
