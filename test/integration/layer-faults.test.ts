import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { gzipSync } from "node:zlib";
import type { ContainerId } from "../../api/ids";
import type { Layer } from "../../images/layer-store";
import { readMountInfo } from "../../sys/mount-info";
import { describeTree } from "./layers/describe-tree";
import { sha256, writeLayout } from "./layers/oci-layout";
import { type MadeEntry, makeTar } from "./layers/tar-maker";
import { buildWorkerScript } from "./layers/worker-script";
import { type Limits, Workspace } from "./layers/workspace";

jest.setTimeout(60_000);

let workerScript = "";
let space: Workspace;

beforeAll(() => {
  workerScript = buildWorkerScript();
});
afterAll(() => {
  fs.rmSync(workerScript, { force: true });
});
beforeEach(() => {
  space = new Workspace(workerScript);
});
afterEach(() => space.clean());

/** Stores the layers and asks for them within one operation. */
async function unpack(layers: readonly Layer[], limits: Limits = {}) {
  const store = await space.openStore(limits);
  const end = store.leases.begin();
  try {
    await space.ingest(store.blobs, layers);
    await store.layers.ensure(layers);
  } finally {
    end();
  }
  return store;
}

const layoutOf = (...tars: (Buffer | MadeEntry[])[]) =>
  writeLayout(
    space.at("layout"),
    tars.map((tar) => (Buffer.isBuffer(tar) ? tar : makeTar(tar))),
  ).layers;

/** What is left of layers, once what was given up has gone. */
async function leftLayers(): Promise<string[]> {
  for (let tries = 0; tries < 100 && fs.readdirSync(space.at("layers")).length > 0; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return fs.readdirSync(space.at("layers"));
}

const pax = (key: string, value: string): [string, string][] => [[key, value]];

describe("hostile layers", () => {
  const refused: [name: string, entries: MadeEntry[] | (() => Buffer), message: RegExp][] = [
    ["a name climbs out", [{ name: "../x" }], /leads out of the layer/],
    ["a name climbs out in its middle", [{ name: "a/../../x" }], /leads out of the layer/],
    ["a PAX name climbs out", [{ name: "x", pax: pax("path", "../../x") }], /leads out of the layer/],
    ["a hard link climbs out", [{ name: "x", type: "1", link: "../../etc/shadow" }], /leads out of the layer/],
    ["a hard link is absolute", [{ name: "x", type: "1", link: "/etc/shadow" }], /not there/],
    [
      "a hard link goes through a link",
      [
        { name: "d", type: "2", link: "/etc" },
        { name: "x", type: "1", link: "d/shadow" },
      ],
      /not there/,
    ],
    ["a name has a NUL", [{ name: "x", pax: [["path", Buffer.from("a\0b")]] }], /NUL/],
    ["a name is longer than any path", [{ name: "x", pax: pax("path", "a/".repeat(2000)) }], /longer than/],
    ["a component is longer than any name", [{ name: "x", pax: pax("path", "a".repeat(300)) }], /ENAMETOOLONG/],
    ["a whiteout names its own directory", [{ name: "etc/.wh.." }], /names nothing/],
    ["a whiteout names the directory above", [{ name: "etc/.wh..." }], /names nothing/],
    ["a whiteout names nothing", [{ name: "etc/.wh." }], /names nothing/],
    [
      "links go round in a circle",
      [{ name: "a", type: "2", link: "b" }, { name: "b", type: "2", link: "a" }, { name: "a/x" }],
      /too many links/,
    ],
    ["a file is a parent", [{ name: "a" }, { name: "a/x" }], /no directory/],
    ["the root is a file", [{ name: "./", type: "1", link: "x" }], /root is a/],
    ["an owner is no number", [{ name: "x", pax: pax("uid", "4294967295") }], /owner/],
    [
      "an extended header has a wrong length",
      () => Buffer.from(makeTar([{ name: "x", pax: pax("uid", "1") }])).fill("99 ", 512, 515),
      /wrong length/,
    ],
    [
      "an extended header is a gigabyte",
      () => {
        const tar = makeTar([{ name: "x", pax: pax("uid", "1") }]);
        return rewriteSize(tar, 2 ** 30);
      },
      /extended header of/,
    ],
    [
      "pieces of a sparse file overlap",
      [
        {
          name: "s",
          data: "12345678",
          pax: [
            ["GNU.sparse.size", "100"],
            ["GNU.sparse.map", "0,5,3,3"],
          ],
        },
      ],
      /overlap/,
    ],
    [
      "a sparse file's map is larger than the file",
      [
        {
          name: "s",
          data: "1234",
          pax: [
            ["GNU.sparse.size", "10"],
            ["GNU.sparse.map", "8,4"],
          ],
        },
      ],
      /past its end/,
    ],
    [
      "a sparse file's map does not fit",
      [
        {
          name: "s",
          data: "1234",
          pax: [
            ["GNU.sparse.size", "10"],
            ["GNU.sparse.map", "0,3"],
          ],
        },
      ],
      /does not fit/,
    ],
    [
      "a sparse file is larger than any file can be",
      [
        {
          name: "s",
          pax: [
            ["GNU.sparse.size", String(2 ** 52)],
            ["GNU.sparse.map", "0,0"],
          ],
        },
      ],
      /EFBIG/,
    ],
    ["a checksum is wrong", () => Buffer.from(makeTar([{ name: "x" }])).fill("y", 0, 1), /checksum/],
    [
      "it ends in a file",
      () => makeTar([{ name: "x", data: Buffer.alloc(5000) }]).subarray(0, 2048),
      /ends in the middle of "x"/,
    ],
    ["its type is unknown", [{ name: "x", type: "Z" }], /unknown type/],
  ];
  test.each(refused)("ensure() refuses the layer and leaves nothing when %s", async (...[, tar, message]) => {
    const outside = describeTree("/etc").passwd;
    const layers = layoutOf(typeof tar === "function" ? tar() : tar);
    await expect(unpack(layers)).rejects.toMatchObject({
      code: "InvalidArgument",
      message: expect.stringMatching(message),
    });
    expect(await leftLayers()).toEqual([]);
    expect(describeTree("/etc").passwd).toBe(outside);
  });

  test("ensure() writes inside when links of the layer lead to the host", async () => {
    const marker = `berth-marker-${process.pid}`;
    const layers = layoutOf([
      { name: "root", type: "2", link: "/" },
      { name: `root/${marker}`, data: "in" },
      { name: "up", type: "2", link: "../../../../../../tmp" },
      { name: `up/${marker}`, data: "in" },
      { name: "/abs/file", data: "in" },
    ]);
    const { layers: store } = await unpack(layers);
    const [diff] = store.diffPaths(layers.map(({ chainId }) => chainId));
    expect(fs.readFileSync(`${diff}/${marker}`, "utf8")).toBe("in");
    expect(fs.readFileSync(`${diff}/tmp/${marker}`, "utf8")).toBe("in");
    expect(fs.existsSync(`/${marker}`)).toBe(false);
    expect(fs.existsSync(`/tmp/${marker}`)).toBe(false);
  });

  test("ensure() removes inside only when a whiteout goes through a link to the host", async () => {
    const marker = `/tmp/berth-marker-${process.pid}`;
    fs.writeFileSync(marker, "stays");
    try {
      await unpack(
        layoutOf(
          [{ name: "host", type: "2", link: "/tmp" }, { name: "x" }],
          [{ name: `host/.wh.${marker.slice(5)}` }, { name: "host/.wh..wh..opq" }],
        ),
      );
      expect(fs.readFileSync(marker, "utf8")).toBe("stays");
    } finally {
      fs.rmSync(marker);
    }
  });

  test("ensure() ends with ResourceExhausted when a layer unpacks to far more than it has", async () => {
    const layers = layoutOf([{ name: "zeros", data: Buffer.alloc(50 << 20) }]);
    await expect(unpack(layers, { allowedBytes: 1 << 20, mostRatio: 10 })).rejects.toMatchObject({
      code: "ResourceExhausted",
    });
    expect(await leftLayers()).toEqual([]);
  });

  test("ensure() ends with ResourceExhausted when a layer has too many entries", async () => {
    const layers = layoutOf(Array.from({ length: 200 }, (_, index) => ({ name: `f${index}` })));
    await expect(unpack(layers, { mostEntries: 100 })).rejects.toMatchObject({ code: "ResourceExhausted" });
    expect(await leftLayers()).toEqual([]);
  });

  test("ensure() takes a tree of a thousand directories in one another, and remove() removes it", async () => {
    const layers = layoutOf([{ name: "x", pax: pax("path", `${"d/".repeat(1000)}file`) }]);
    const { layers: store } = await unpack(layers);
    await store.remove(layers[0]!.chainId);
    expect(fs.readdirSync(space.at("layers"))).toEqual([]);
  });
});

/** Gives the first header another size and a right checksum. */
function rewriteSize(tar: Buffer, sizeBytes: number): Buffer {
  const copy = Buffer.from(tar);
  copy.write(`${sizeBytes.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  copy.write(" ".repeat(8), 148, "latin1");
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  copy.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return copy;
}

describe("faults", () => {
  const some: MadeEntry[] = [
    { name: "etc/a", data: "a" },
    { name: "etc/b", data: "b" },
  ];

  test("ensure() refuses a layer whose tar is not the one that the configuration names", async () => {
    const layers = layoutOf(some).map((layer) => ({ ...layer, diffId: sha256(Buffer.from("other")) }));
    await expect(unpack(layers)).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(await leftLayers()).toEqual([]);
  });

  test("ensure() refuses a blob that is cut short, and removeDamaged() finds it", async () => {
    const layers = layoutOf([{ name: "x", data: Buffer.alloc(100_000, "abc") }]);
    const store = await space.openStore();
    await space.ingest(store.blobs, layers);
    const file = store.blobs.pathOf(layers[0]!.blob.digest);
    fs.truncateSync(file, 100);
    const end = store.leases.begin();
    await expect(store.layers.ensure(layers)).rejects.toMatchObject({ code: "InvalidArgument", message: /gzip data/ });
    end();
    expect(await store.blobs.removeDamaged([layers[0]!.blob.digest])).toHaveLength(1);
    expect(await leftLayers()).toEqual([]);
  });

  test("removeDamaged() takes no blob for damaged that it had no descriptor to look at", async () => {
    const layers = layoutOf([{ name: "x", data: "abc" }]);
    const store = await space.openStore();
    await space.ingest(store.blobs, layers);
    const { digest } = layers[0]!.blob;
    const read = jest.spyOn(fs, "createReadStream").mockImplementation(() => {
      throw Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" });
    });
    try {
      await expect(store.blobs.removeDamaged([digest])).rejects.toMatchObject({ code: "EMFILE" });
    } finally {
      read.mockRestore();
    }
    expect(fs.existsSync(store.blobs.pathOf(digest))).toBe(true);
  });

  test("ensure() unpacks a layer once when many ask at the same time", async () => {
    const layers = layoutOf(some, [{ name: "etc/c" }]);
    const store = await space.openStore();
    await space.ingest(store.blobs, layers);
    const end = store.leases.begin();
    await Promise.all(Array.from({ length: 10 }, () => store.layers.ensure(layers)));
    end();
    expect(fs.readdirSync(space.at("layers")).sort()).toEqual(layers.map(({ chainId }) => chainId.slice(7)).sort());
  });

  test("ensure() is over at once when its signal aborts, and leaves nothing when no other operation runs", async () => {
    const layers = layoutOf([{ name: "big", data: Buffer.alloc(200 << 20, "x") }]);
    const store = await space.openStore();
    await space.ingest(store.blobs, layers);
    const end = store.leases.begin();
    const abort = new AbortController();
    const work = store.layers.ensure(layers, { signal: abort.signal });
    setTimeout(() => abort.abort(), 100);
    await expect(work).rejects.toMatchObject({ code: "Cancelled" });
    end();
    expect(await leftLayers()).toEqual([]);
    const endAgain = store.leases.begin();
    await store.layers.ensure(layers);
    endAgain();
    expect(store.layers.has(layers[0]!.chainId)).toBe(true);
  });

  test("open() throws away what a crash left half done, mounts included, and keeps what is whole", async () => {
    const layers = layoutOf(some);
    const first = await unpack(layers);
    const whole = describeTree(first.layers.diffPaths([layers[0]!.chainId])[0]!);
    const half = space.at("layers", "f".repeat(64));
    for (const name of ["diff", "merged", "work"]) fs.mkdirSync(`${half}/${name}`, { recursive: true });
    fs.writeFileSync(`${half}/diff/x`, "half");
    fs.writeFileSync(`${half}/meta.json.next`, "{}");
    const lower = first.layers.diffPaths([layers[0]!.chainId]);
    space.mounts.overlay({ lower, upper: `${half}/diff`, work: `${half}/work`, target: `${half}/merged` });
    const second = await space.openStore();
    expect(second.layers.list()).toEqual([layers[0]!.chainId]);
    expect(readMountInfo().filter(({ mountPoint }) => mountPoint.startsWith(space.directory))).toEqual([]);
    expect(describeTree(second.layers.diffPaths([layers[0]!.chainId])[0]!)).toEqual(whole);
  });

  test("open() reports a layer whose meta.json is garbage and unpacks it anew", async () => {
    const layers = layoutOf(some);
    await unpack(layers);
    fs.writeFileSync(space.at("layers", layers[0]!.chainId.slice(7), "meta.json"), "garbage");
    const again = await unpack(layers);
    expect(space.reports).toEqual([expect.stringContaining("is damaged")]);
    expect(again.layers.has(layers[0]!.chainId)).toBe(true);
  });

  test("ensure() ends with ResourceExhausted and gives the space back when the disk is full", async () => {
    const small = space.at("small");
    fs.mkdirSync(small);
    space.mounts.tmpfs(small, { sizeBytes: 8 << 20 });
    const layers = layoutOf([
      { name: "a", data: Buffer.alloc(1 << 20, "a") },
      { name: "b", data: Buffer.alloc(20 << 20) },
    ]);
    const store = await space.openStore({}, small);
    await space.ingest(store.blobs, layers);
    const end = store.leases.begin();
    await expect(store.layers.ensure(layers)).rejects.toMatchObject({
      code: "ResourceExhausted",
      message: expect.stringContaining(small),
    });
    end();
    await expect(store.blobs.ingestUnnamed(zeros(20 << 20), 1 << 30)).rejects.toMatchObject({
      code: "ResourceExhausted",
      message: expect.stringContaining(small),
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { bfree, blocks, bsize } = fs.statfsSync(small);
    expect((blocks - bfree) * bsize).toBeLessThan(1 << 20);
    const fitting = layoutOf(some);
    const endAgain = store.leases.begin();
    await space.ingest(store.blobs, fitting);
    await store.layers.ensure(fitting);
    endAgain();
  });

  test("prepare() mounts an empty image, and remove() leaves nothing", async () => {
    const { snapshots } = await space.openStore();
    const target = space.at("rootfs");
    fs.mkdirSync(target);
    const id = "b".repeat(64) as ContainerId;
    await snapshots.prepare({ id, chainIds: [], layers: [], target });
    fs.writeFileSync(`${target}/x`, "written");
    expect((await snapshots.usage(id)).inodes).toBe(2);
    await expect(snapshots.prepare({ id, chainIds: [], layers: [], target })).rejects.toMatchObject({
      code: "AlreadyExists",
    });
    await snapshots.remove(id, target);
    await snapshots.remove(id, target);
    expect(fs.readdirSync(space.at("snapshots")).sort()).toEqual([".empty", ".views"]);
    expect(fs.readdirSync(target)).toEqual([]);
  });

  test("remove() removes a container's tree that is deeper than a path can be long", async () => {
    const { snapshots } = await space.openStore();
    const target = space.at("rootfs");
    fs.mkdirSync(target);
    const id = "c".repeat(64) as ContainerId;
    await snapshots.prepare({ id, chainIds: [], layers: [], target });
    const script = `cd ${target} && for i in $(seq 60); do mkdir ${"n".repeat(200)} && cd ${"n".repeat(200)}; done; echo x > f`;
    execFileSync("bash", ["-c", script], { stdio: "pipe" });
    await snapshots.remove(id, target);
    expect(fs.readdirSync(space.at("snapshots")).sort()).toEqual([".empty", ".views"]);
  });

  test("ingest() ends at the first byte too many and keeps nothing of a wrong blob", async () => {
    const { blobs } = await space.openStore();
    const data = gzipSync("content");
    const descriptor = { mediaType: "x", digest: sha256(data), size: data.length };
    let taken = 0;
    const endless = (async function* () {
      for (;;) {
        taken++;
        yield data;
      }
    })();
    await expect(blobs.ingest(descriptor, endless)).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(taken).toBe(2);
    const wrong = { ...descriptor, digest: sha256(Buffer.from("other")) };
    await expect(blobs.ingest(wrong, once(data))).rejects.toMatchObject({ code: "InvalidArgument" });
    await expect(blobs.ingest({ ...descriptor, size: 1000 }, once(data))).rejects.toMatchObject({
      code: "InvalidArgument",
    });
    expect(fs.readdirSync(space.at("content", "ingest"))).toEqual([]);
    expect(blobs.list()).toEqual([]);
    await blobs.ingest(descriptor, once(data));
    expect(await blobs.read(descriptor.digest, 1000)).toEqual(data);
    fs.truncateSync(blobs.pathOf(descriptor.digest), 3);
    expect(await blobs.has(descriptor.digest)).toBe(false);
  });
});

async function* once(data: Buffer): AsyncGenerator<Buffer> {
  yield data;
}

async function* zeros(sizeBytes: number): AsyncGenerator<Buffer> {
  for (let done = 0; done < sizeBytes; done += 1 << 20) yield Buffer.alloc(1 << 20);
}
