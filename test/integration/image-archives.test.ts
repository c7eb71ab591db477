import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import type { ContainerId } from "../../api/ids";
import { importArchive } from "../../images/archive-import";
import type { ImageService } from "../../images/image-service";
import { skopeo } from "../support/skopeo";
import { describeTree } from "./layers/describe-tree";
import { sha256, writeLayout } from "./layers/oci-layout";
import { type MadeEntry, makeTar } from "./layers/tar-maker";
import { buildWorkerScript } from "./layers/worker-script";
import { Workspace } from "./layers/workspace";

jest.setTimeout(60_000);

let workerScript = "";
let space: Workspace;

beforeAll(() => {
  workerScript = buildWorkerScript();
});
afterAll(() => fs.rmSync(workerScript, { force: true }));
beforeEach(() => {
  space = new Workspace(workerScript);
});
afterEach(() => space.clean());

const layerTars = () => [
  makeTar([
    { name: "etc/", type: "5", mode: 0o700 },
    { name: "etc/a", data: "a" },
    { name: "etc/gone", data: "g" },
  ]),
  makeTar([{ name: "etc/b", data: Buffer.alloc(100_000, "b") }, { name: "etc/.wh.gone" }]),
];

const containerId = "d".repeat(64) as ContainerId;

async function treeOf(service: ImageService, image: string): Promise<Record<string, string>> {
  const target = space.at(`rootfs-${Math.random()}`);
  fs.mkdirSync(target);
  await service.mountRootfs({ containerId, image: service.status(image)!.id, target });
  const tree = describeTree(target);
  await service.releaseRootfs(containerId, target);
  return tree;
}

test("importArchive() takes what skopeo writes as an OCI archive", async () => {
  writeLayout(space.at("layout"), layerTars());
  skopeo("copy", `oci:${space.at("layout")}:test`, `oci-archive:${space.at("a.tar")}:example.com/some/name:1.2`);
  const service = await space.openImages();
  const [record] = await service.importArchive(space.at("a.tar"));
  expect(record!.tags).toEqual(["example.com/some/name:1.2"]);
  expect(service.status("example.com/some/name:1.2")).toEqual(record);
  expect(Object.keys(await treeOf(service, record!.id))).toEqual([".", "etc", "etc/a", "etc/b"]);
});

test("importArchive() takes what skopeo writes as a docker archive, compressed as a whole", async () => {
  writeLayout(space.at("layout"), layerTars());
  skopeo("copy", `oci:${space.at("layout")}:test`, `docker-archive:${space.at("a.tar")}:busybox:1`);
  execFileSync("zstd", ["-q", space.at("a.tar")]);
  execFileSync("gzip", [space.at("a.tar")]);
  for (const suffix of ["zst", "gz"]) {
    const service = await space.openImages(suffix);
    const [record] = await service.importArchive(space.at(`a.tar.${suffix}`));
    expect(record!.tags).toEqual(["docker.io/library/busybox:1"]);
    expect(Object.keys(await treeOf(service, "busybox:1"))).toEqual([".", "etc", "etc/a", "etc/b"]);
  }
});

test("exportImage() writes what skopeo reads as both kinds of archive and importArchive() as the same image", async () => {
  writeLayout(space.at("layout"), layerTars());
  skopeo("copy", `oci:${space.at("layout")}:test`, `oci-archive:${space.at("a.tar")}`);
  const service = await space.openImages();
  const [record] = await service.importArchive(space.at("a.tar"), "given/name:7");
  expect(record!.tags).toEqual(["docker.io/given/name:7"]);
  await service.exportImage("given/name:7", space.at("b.tar"));
  for (const kind of ["docker-archive", "oci-archive"]) {
    const out = space.at(`from-${kind}`);
    skopeo("copy", `${kind}:${space.at("b.tar")}`, `oci:${out}:test`);
    const { manifests } = JSON.parse(fs.readFileSync(path.join(out, "index.json"), "utf8"));
    expect(manifests).toHaveLength(1);
    execFileSync("umoci", ["unpack", "--image", `${out}:test`, space.at(`bundle-${kind}`)], { stdio: "pipe" });
    expect(describeTree(space.at(`bundle-${kind}`, "rootfs"))).toEqual(await treeOf(service, "given/name:7"));
  }
  const other = await space.openImages("other");
  const [again] = await other.importArchive(space.at("b.tar"));
  expect({ ...again, pulledAtNs: "" }).toEqual({ ...record, pulledAtNs: "" });
  await service.exportImage(record!.id, space.at("c.tar"));
  expect(fs.readFileSync(space.at("c.tar"))).toEqual(fs.readFileSync(space.at("b.tar")));
});

test("importArchive() takes docker's old archives with linked layers", async () => {
  const [tar] = layerTars();
  const imageConfig = JSON.stringify({
    os: "linux",
    rootfs: { type: "layers", diff_ids: [sha256(tar!), sha256(tar!)] },
  });
  const manifest = [{ Config: "c.json", RepoTags: ["old:1", "old:2"], Layers: ["l1/layer.tar", "l2/layer.tar"] }];
  const archive = makeTar([
    { name: "l1/layer.tar", data: tar! },
    { name: "l2/layer.tar", type: "2", link: "../l1/layer.tar" },
    { name: "c.json", data: imageConfig },
    { name: "manifest.json", data: JSON.stringify(manifest) },
  ]);
  fs.writeFileSync(space.at("old.tar"), archive);
  const service = await space.openImages();
  const [record] = await service.importArchive(space.at("old.tar"));
  expect(record!.tags).toEqual(["docker.io/library/old:1", "docker.io/library/old:2"]);
  expect(record!.layers[0]!.blob.mediaType).toBe("application/vnd.oci.image.layer.v1.tar");
});

const json = (value: unknown) => JSON.stringify(value);
const refused: [name: string, entries: MadeEntry[]][] = [
  ["a blob's name climbs out", [{ name: "blobs/sha256/../../../x", data: "x" }]],
  ["a blob is not what it is named", [{ name: `blobs/sha256/${"0".repeat(64)}`, data: "x" }]],
  ["a blob is named oddly", [{ name: "blobs/sha256/zz", data: "x" }]],
  [
    "a link climbs out",
    [
      { name: "a", type: "2", link: "../../etc/shadow" },
      { name: "manifest.json", data: "[]" },
    ],
  ],
  [
    "the manifest names what is outside",
    [{ name: "manifest.json", data: json([{ Config: "/etc/passwd", Layers: [] }]) }],
  ],
  [
    "the index names what is not there",
    [
      {
        name: "index.json",
        data: json({
          schemaVersion: 2,
          manifests: [
            { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: `sha256:${"1".repeat(64)}`, size: 5 },
          ],
        }),
      },
    ],
  ],
  ["there is no image in it", [{ name: "x", data: "x" }]],
  ["the index is no JSON", [{ name: "index.json", data: "{" }]],
];
test.each(refused)("importArchive() refuses the archive and keeps nothing when %s", async (_, entries) => {
  fs.writeFileSync(space.at("bad.tar"), makeTar(entries));
  const service = await space.openImages();
  await expect(service.importArchive(space.at("bad.tar"))).rejects.toMatchObject({
    code: expect.stringMatching(/^(InvalidArgument|NotFound)$/),
  });
  expect(service.list()).toEqual([]);
  expect(fs.readdirSync(space.at("root/content/blobs/sha256"))).toEqual([]);
  expect(fs.readdirSync(space.at("root/content/ingest"))).toEqual([]);
});

test("importArchive() ends with ResourceExhausted and keeps nothing when the archive unpacks to far more than it is", async () => {
  const { blobs } = await space.openStore();
  const bomb = makeTar([{ name: "zeros", data: Buffer.alloc(20 << 20) }]);
  fs.writeFileSync(space.at("bomb.tar.gz"), gzipSync(bomb));
  const limits = { mostMembers: 10, mostBlobBytes: 1 << 30, mostRatio: 10, allowedBytes: 1 << 20 };
  await expect(importArchive(space.at("bomb.tar.gz"), blobs, { limits })).rejects.toMatchObject({
    code: "ResourceExhausted",
  });
  expect(blobs.list()).toEqual([]);
  expect(fs.readdirSync(space.at("content/ingest"))).toEqual([]);
});

describe("images and what uses them", () => {
  async function imported(name: string, tars = layerTars()): Promise<ImageService> {
    fs.rmSync(space.at("layout"), { recursive: true, force: true });
    writeLayout(space.at("layout"), tars);
    fs.rmSync(space.at("a.tar"), { force: true });
    skopeo("copy", `oci:${space.at("layout")}:test`, `oci-archive:${space.at("a.tar")}`);
    const service = await space.openImages();
    await service.importArchive(space.at("a.tar"), name);
    return service;
  }
  const left = () => ({
    blobs: fs.readdirSync(space.at("root/content/blobs/sha256")).length,
    layers: fs.readdirSync(space.at("root/layers")).length,
    images: fs.readdirSync(space.at("root/images")).length,
  });

  test("remove() removes all names, blobs and layers", async () => {
    const service = await imported("a:1");
    await service.importArchive(space.at("a.tar"), "b:2");
    expect(service.list()).toHaveLength(1);
    const usage = await service.fsUsage();
    expect(usage.images.usedBytes).toBeGreaterThan(100_000);
    await Promise.all([service.remove("a:1"), service.remove("b:2"), service.remove("c:3")]);
    expect(service.list()).toEqual([]);
    expect(left()).toEqual({ blobs: 0, layers: 0, images: 0 });
    expect((await service.fsUsage()).images.usedBytes).toBe(0);
  });

  test("remove() leaves a container's layers until the container is gone, over a restart too", async () => {
    const service = await imported("a:1");
    const target = space.at("rootfs");
    const volume = space.at("volume");
    for (const directory of [target, volume]) fs.mkdirSync(directory);
    const { id } = service.status("a:1")!;
    await service.mountRootfs({ containerId, image: id, target });
    await service.mountImageReadOnly({ image: id, target: volume });
    await service.remove("a:1");
    expect(left()).toEqual({ blobs: 0, layers: 2, images: 0 });
    const restarted = await space.openImages();
    expect(restarted.rootfsOwners()).toEqual([containerId]);
    expect(fs.readFileSync(path.join(target, "etc/a"), "utf8")).toBe("a");
    expect(() => fs.writeFileSync(path.join(volume, "etc/a"), "x")).toThrow("EROFS");
    await restarted.releaseRootfs(containerId, target);
    expect(left().layers).toBe(2);
    restarted.unmountImage(volume);
    for (let tries = 0; tries < 100 && left().layers > 0; tries++) await new Promise((done) => setTimeout(done, 20));
    expect(left().layers).toBe(0);
  });

  test("open() treats an image as absent when a blob is short, and reports it", async () => {
    const service = await imported("a:1");
    const [layer] = service.status("a:1")!.layers;
    fs.truncateSync(space.at("root/content/blobs/sha256", layer!.blob.digest.slice(7)), 10);
    fs.writeFileSync(space.at("root/images", `${"e".repeat(64)}.json`), '{"version":1');
    const restarted = await space.openImages();
    expect(restarted.list()).toEqual([]);
    expect(space.reports).toHaveLength(2);
    await restarted.importArchive(space.at("a.tar"), "a:1");
    expect(Object.keys(await treeOf(restarted, "a:1"))).toContain("etc/b");
  });

  test("mountRootfs() unpacks anew what has vanished", async () => {
    const service = await imported("a:1");
    const [layer] = service.status("a:1")!.layers;
    fs.rmSync(space.at("root/layers", layer!.chainId.slice(7)), { recursive: true });
    expect(Object.keys(await treeOf(service, "a:1"))).toEqual([".", "etc", "etc/a", "etc/b"]);
  });

  test("importArchive() moves a tag to the newer image, and the older one can still be told by ID", async () => {
    const service = await imported("a:1");
    const older = service.status("a:1")!;
    writeLayout(space.at("layout2"), [makeTar([{ name: "new" }])]);
    skopeo("copy", `oci:${space.at("layout2")}:test`, `oci-archive:${space.at("b.tar")}`);
    await service.importArchive(space.at("b.tar"), "a:1");
    expect(service.status("a:1")!.id).not.toBe(older.id);
    expect(service.status(older.id)!.tags).toEqual([]);
    expect(service.status(older.id.slice(7, 20))!.id).toBe(older.id);
    const restarted = await space.openImages();
    expect(restarted.status("a:1")).toEqual(service.status("a:1"));
    expect(restarted.list()).toHaveLength(2);
  });
});
