import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { ChainId, Digest, ImageId } from "../api/ids";
import { ImageStore } from "./image-store";
import type { ImageRecord } from "./types";

let root = "";
let reports: string[];
let missing: Record<string, string>;

const digest = (character: string) => `sha256:${character.repeat(64)}` as Digest;

const record = (character: string, rest: Partial<ImageRecord> = {}): ImageRecord => ({
  id: digest(character) as ImageId,
  manifest: digest("f"),
  tags: [],
  digests: [],
  layers: [],
  config: {},
  sizeBytes: 1,
  pulledAtNs: "1",
  ...rest,
});

async function open(): Promise<ImageStore> {
  const store = new ImageStore(root, {
    missingOf: ({ id }) => missing[id],
    report: (message) => void reports.push(message),
  });
  await store.open();
  return store;
}

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "berth-images-"));
  reports = [];
  missing = {};
});
afterEach(() => fs.rmSync(root, { recursive: true }));

test("resolve() gives the same image when asked by ID, tag, digest or the beginning of its ID", async () => {
  const store = await open();
  const name = "docker.io/library/busybox";
  const put = await store.put(record("a", { tags: [`${name}:1`], digests: [`${name}@${digest("e")}`] }));
  const asked = [
    put.id,
    "a".repeat(64),
    "aaaa",
    "busybox:1",
    `${name}:1`,
    `busybox@${digest("e")}`,
    `busybox@${digest("f")}`,
  ];
  for (const text of asked) expect(store.resolve(text)).toBe(put);
  for (const text of ["busybox", "bbbb", `other@${digest("f")}`, "", "!!", `${"a".repeat(63)}b`]) {
    expect(store.resolve(text)).toBeUndefined();
  }
});

test("resolve() gives none when the beginning of an ID fits two", async () => {
  const store = await open();
  await store.put(record("a"));
  await store.put({ ...record("b"), id: `sha256:${"a".repeat(10)}${"b".repeat(54)}` as ImageId });
  expect(store.resolve("aaaaa")).toBeUndefined();
  expect(store.resolve("aaaaaaaaaaa")!.id).toBe(digest("a"));
});

test("put() moves a tag to the newer image, and both are so after a restart", async () => {
  const store = await open();
  await store.put(
    record("a", {
      tags: ["docker.io/library/x:1", "docker.io/library/x:2"],
      digests: [`docker.io/library/x@${digest("1")}`],
    }),
  );
  await store.put(record("b", { tags: ["docker.io/library/x:1"], pulledAtNs: "2" }));
  for (const each of [store, await open()]) {
    expect(each.resolve("x:1")!.id).toBe(digest("b"));
    expect(each.get(digest("a"))!.tags).toEqual(["docker.io/library/x:2"]);
    expect(each.get(digest("a"))!.digests).toHaveLength(1);
    expect(each.list().map(({ id }) => id)).toEqual([digest("b"), digest("a")]);
  }
});

test("remove() takes the image from all lists at once, when many remove it too", async () => {
  const store = await open();
  await store.put(record("a", { tags: ["docker.io/library/x:1"] }));
  const removals = [store.remove(digest("a")), store.remove(digest("a"))];
  expect(store.list()).toEqual([]);
  expect(store.resolve("x:1")).toBeUndefined();
  await Promise.all(removals);
  expect(fs.readdirSync(root)).toEqual([]);
});

test.each([
  ["it is empty", ""],
  ["it is cut off", '{"version":1,"id":"sha'],
  ["it is of a newer version", JSON.stringify({ version: 2, ...record("a") })],
  ["its layers are no list", JSON.stringify({ version: 1, ...record("a"), layers: {} })],
  ["its variables are no list", JSON.stringify({ version: 1, ...record("a"), config: { Env: "A=b" } })],
  ["it is of another image", JSON.stringify({ version: 1, ...record("b") })],
])("open() reports a record and sets it aside when %s", async (_, text) => {
  fs.writeFileSync(path.join(root, `${"a".repeat(64)}.json`), text);
  const store = await open();
  expect(store.list()).toEqual([]);
  expect(reports).toHaveLength(1);
  expect(fs.readdirSync(root)).toEqual([`${"a".repeat(64)}.json.damaged`]);
});

test("open() treats an image as absent when something of it is missing", async () => {
  await (await open()).put(record("a"));
  missing[digest("a")] = "blob x is missing";
  expect((await open()).list()).toEqual([]);
  expect(reports).toEqual([expect.stringContaining("blob x is missing")]);
});

test("usesLayer(), usesBlob() and list() follow what is put, moved and removed", async () => {
  const store = await open();
  const layer = (character: string) => ({
    blob: { mediaType: "", digest: digest(character), size: 1 },
    diffId: digest(character),
    chainId: digest(character) as ChainId,
  });
  const [shared, own] = [layer("1"), layer("2")];
  const first = await store.put(record("a", { layers: [shared, own], pulledAtNs: "9" }));
  const second = await store.put(record("b", { manifest: digest("9"), layers: [shared], pulledAtNs: "10" }));
  expect(store.list()).toEqual([second, first]);
  await store.remove(first.id);
  expect([shared, own].map(({ chainId }) => store.usesLayer(chainId))).toEqual([true, false]);
  expect([shared, own].map(({ blob }) => store.usesBlob(blob.digest))).toEqual([true, false]);
  expect([first, second].map(({ id }) => store.usesBlob(id))).toEqual([false, true]);
  expect([first, second].map(({ manifest }) => store.usesBlob(manifest))).toEqual([false, true]);
  expect(store.list()).toEqual([second]);
  await store.remove(second.id);
  expect(store.usesLayer(shared.chainId)).toBe(false);
  expect(store.list()).toEqual([]);
});
