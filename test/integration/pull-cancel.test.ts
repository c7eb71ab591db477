import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { Client } from "../../cri/client/client";
import { FakeRegistry, sha256 } from "../../images/fake-registry";
import { Unpacker } from "../../images/unpack/unpacker";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { makeImage, makeLayer } from "../support/images";
import { makeTar } from "./layers/tar-maker";
import { buildWorkerScript } from "./layers/worker-script";
import { Workspace } from "./layers/workspace";

/** Pulls that end early, also while threads for unpacking start: a native module that is just being loaded is no harm. */
jest.setTimeout(180_000);

let workerScript = "";
let space: Workspace;
let registry: FakeRegistry;
let host = "";
let daemon: TestDaemon;
let client: Client;

beforeAll(async () => {
  workerScript = buildWorkerScript();
  space = new Workspace(workerScript);
  registry = new FakeRegistry();
  host = await registry.start();
  daemon = await startDaemon();
  client = new Client(daemon.socket);
});
afterAll(async () => {
  client?.close();
  await daemon?.remove();
  await registry?.stop();
  space?.clean();
  fs.rmSync(workerScript, { force: true });
});

const threads = () => fs.readdirSync("/proc/self/task").length;

/** A layer of one file as a blob in the workspace. */
function makeBlob(name: string, bytes: number) {
  const blob = space.at(`${name}.tar`);
  const tar = makeTar([{ name: "file", data: Buffer.alloc(bytes) }]);
  fs.writeFileSync(blob, tar);
  return { blob, diffId: sha256(tar), mode: "base" as const, limits: { mostEntries: 1000, mostBytes: 1 << 30 } };
}

function newTree(): string {
  return fs.mkdtempSync(space.at("tree-"));
}

test("work is cancelled at any moment of a thread's start, and the thread goes on with other work", async () => {
  const big = makeBlob("big", 128 << 20);
  const small = makeBlob("small", 1);
  for (let afterMs = 0; afterMs < 80; afterMs++) {
    const unpacker = new Unpacker({ workerScript, maxWorkers: 2 });
    const before = threads();
    const abort = new AbortController();
    const cancelled = unpacker.apply({ ...big, tree: newTree(), signal: abort.signal });
    setTimeout(() => abort.abort(), afterMs);
    await expect(cancelled).rejects.toMatchObject({ code: "Cancelled" });
    if (afterMs % 10 === 0) {
      expect(await unpacker.apply({ ...small, tree: newTree() })).toMatchObject({ inodes: 2 });
      // of Node's own there may be fewer by now
      expect(threads()).toBeLessThanOrEqual(before + 1);
    }
    await unpacker.close();
    expect(threads()).toBeLessThanOrEqual(before);
  }
});

test("close() cancels what runs and what waits, and nothing runs afterwards", async () => {
  const big = makeBlob("big", 128 << 20);
  const unpacker = new Unpacker({ workerScript, maxWorkers: 1 });
  const before = threads();
  const work = [0, 1, 2].map(() => unpacker.apply({ ...big, tree: newTree() }));
  const settled = Promise.allSettled(work);
  await sleep(20);
  await unpacker.close();
  expect(threads()).toBeLessThanOrEqual(before);
  const cancelled = { status: "rejected", reason: expect.objectContaining({ code: "Cancelled" }) };
  expect(await settled).toEqual([cancelled, cancelled, cancelled]);
  await expect(unpacker.commit(space.directory, [])).rejects.toMatchObject({ code: "Cancelled" });
});

/** An image that nobody has pulled yet. */
function push(): string {
  const layers = Array.from({ length: 3 }, () => makeLayer([{ path: "r", body: randomBytes(3_000_000) }], "none"));
  const image = makeImage({ layers });
  const name = `v${randomBytes(4).toString("hex")}`;
  registry.putMade(name, image);
  return `${host}/team/app:${name}`;
}

test("the daemon goes on when clients give up their pulls at any moment", async () => {
  const { pid } = daemon.child!;
  let cancelled = 0;
  for (let round = 0; round < 12; round++) {
    const abort = new AbortController();
    const pull = client.image("PullImage", { image: { image: push() } }, { signal: abort.signal });
    setTimeout(() => abort.abort(), 20 + round * 5);
    await pull.catch(() => cancelled++);
    // until the threads have ended, so that the next pull starts them anew
    if (round % 2 === 0) await sleep(1200);
  }
  expect(cancelled).toBeGreaterThan(0);
  const reference = push();
  await client.image("PullImage", { image: { image: reference } });
  expect([daemon.child!.pid, daemon.child!.exitCode, daemon.child!.signalCode]).toEqual([pid, null, null]);
});

test("the daemon ends well when it is told to in the middle of pulls, and the next start pulls them", async () => {
  for (let round = 0; round < 8; round++) {
    const references = [push(), push()];
    const pulls = references.map((image) => client.image("PullImage", { image: { image } }));
    const settled = Promise.allSettled(pulls);
    await sleep(20 + round * 10);
    const child = daemon.child!;
    await daemon.stop();
    expect([round, child.exitCode, child.signalCode]).toEqual([round, 0, null]);
    await settled;
    client.close();
    await daemon.start();
    client = new Client(daemon.socket);
    for (const image of references) await client.image("PullImage", { image: { image } });
  }
  expect(daemon.readLog()).not.toMatch(/FATAL|panic|assert/i);
});
