import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, jest, test } from "@jest/globals";
import { ContainerState } from "../../api/messages";
import type { Client } from "../../cri/client/client";
import { environment, type TestDaemon } from "../support/daemon";
import { eventually, podCalls } from "../support/pods";
import { testNode } from "../support/test-node";

jest.setTimeout(60_000);

/** A daemon whose wall clock is set back and forth while it runs: what it takes for the time is moved by a file. */
const hourMs = 3_600_000;
let daemon: TestDaemon;
let client: Client;
let image = "";
const pods = podCalls(() => ({ client, daemon, image }));
const { runPod, runContainer, createContainer, statusOf, podStatusOf, removePods } = pods;

const moved = (file: string) => `const fs = require("node:fs");
const real = Date.now;
const moved = () => real() + Number(fs.readFileSync(${JSON.stringify(file)}, "utf8"));
globalThis.Date = class extends Date {
  constructor(...given) {
    if (given.length === 0) super(moved());
    else super(...given);
  }
  static now() {
    return moved();
  }
};
`;
const setClock = (ms: number) => fs.writeFileSync(path.join(daemon.directory, "clock"), String(ms));

const node = testNode((prepared) => {
  daemon = prepared;
  const preload = path.join(daemon.directory, "moved.cjs");
  fs.writeFileSync(preload, moved(path.join(daemon.directory, "clock")));
  daemon.env = { ...environment(), NODE_OPTIONS: `--require ${preload}`, TZ: "Europe/Berlin" };
  setClock(0);
});
beforeAll(() => {
  ({ client, image } = node);
});

/** A container that does not end by itself is given 2 s while the clock jumps; how long it had. */
async function timedStop(jumpMs: number): Promise<number> {
  const command = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"];
  const containerId = await runContainer(await runPod(), { command });
  const began = performance.now();
  const stopped = client.runtime("StopContainer", { containerId, timeout: 2n });
  const cmd = ["sh", "-c", "touch /under-way; exec sleep 60"];
  const timedOut = client.runtime("ExecSync", { containerId, cmd, timeout: 1n }).catch((error) => error);
  const mark = path.join(daemon.state, "containers", containerId, "rootfs/under-way");
  expect(await eventually(() => fs.existsSync(mark), Boolean)).toBe(true);
  setClock(jumpMs);
  expect(await timedOut).toMatchObject({ code: "DeadlineExceeded" });
  expect(performance.now() - began).toBeGreaterThan(900);
  await stopped;
  const tookMs = performance.now() - began;
  const { createdAt, startedAt, finishedAt, exitCode } = await statusOf(containerId);
  expect(exitCode).toBe(137);
  expect(startedAt).toBeGreaterThan(createdAt);
  expect(finishedAt).toBeGreaterThanOrEqual(startedAt);
  return tookMs;
}

test.each([
  ["a day forth", 24 * hourMs],
  ["an hour back", -hourMs],
  ["as it was", 0],
])("set %s, no timeout is over early or never, and an object's times are in order", async (_, jumpMs) => {
  const tookMs = await timedStop(jumpMs);
  expect(tookMs).toBeGreaterThan(1900);
  // far from both jumps, however slow the machine is
  expect(tookMs).toBeLessThan(30_000);
  await removePods();
});

test("set back, also between two runs, what is made later has a later time", async () => {
  setClock(2 * hourMs);
  const pod = await runPod();
  const container = await createContainer(pod);
  const ended = await runContainer(pod);
  await client.runtime("StopContainer", { containerId: ended, timeout: 0n });
  await daemon.kill();
  setClock(-2 * hourMs);
  await daemon.start();
  await client.runtime("StartContainer", { containerId: container });
  const later = await runPod();
  const status = await statusOf(container);
  expect(status.state).toBe(ContainerState.CONTAINER_RUNNING);
  expect(status.startedAt).toBeGreaterThan(status.createdAt);
  expect((await podStatusOf(later)).createdAt).toBeGreaterThan((await podStatusOf(pod)).createdAt);
  expect((await podStatusOf(later)).createdAt).toBeGreaterThan((await statusOf(ended)).createdAt);
  expect((await client.runtime("ListPodSandbox", {})).items.map(({ id }) => id)).toEqual([pod, later]);
  await client.runtime("StopContainer", { containerId: container, timeout: 0n });
  const { startedAt, finishedAt } = await statusOf(container);
  expect(finishedAt).toBeGreaterThanOrEqual(startedAt);
  await removePods();
});
