import fs from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { EXPEDITED } from "../../hack/support/machine.cjs";
import type { FaultPoint } from "../../sys/fault-points";
import { FaultyDaemon } from "../support/faulty-daemon";

/** The kernel's own switch, as pods come and go: it is on for just so long, and a killed daemon's next start turns it off. */
const isOn = () => fs.readFileSync(EXPEDITED, "utf8").trim() !== "0";

const berth = new FaultyDaemon();
const { runPod, createContainer } = berth.pods;
const wasOn = isOn();

beforeAll(async () => {
  fs.writeFileSync(EXPEDITED, "0");
  await berth.start();
}, 60_000);
beforeEach(() => berth.forgive());
afterAll(async () => {
  await berth.remove();
  fs.writeFileSync(EXPEDITED, wasOn ? "1" : "0");
}, 60_000);

/** What `work` does while it stands still at `point`, and its end. */
async function heldAt(point: FaultPoint, work: () => Promise<unknown>): Promise<boolean> {
  berth.ask(point, "hang");
  const done = work();
  try {
    expect(await berth.reached()).toBe(true);
    return isOn();
  } finally {
    berth.forgive();
    await done;
  }
}

test("grace periods are expedited while a pod is made and stopped, and at no other time", async () => {
  let pod = "";
  expect(isOn()).toBe(false);
  expect(await heldAt("RunPodSandbox.network", async () => (pod = await runPod(berth.podConfig())))).toBe(true);
  expect(isOn()).toBe(false);
  let container = "";
  expect(await heldAt("CreateContainer.monitor", async () => (container = await createContainer(pod)))).toBe(true);
  const start = () => berth.client.runtime("StartContainer", { containerId: container });
  expect(await heldAt("StartContainer.runtime", start)).toBe(false);
  const stop = () => berth.client.runtime("StopPodSandbox", { podSandboxId: pod });
  expect(await heldAt("StopPodSandbox.network", stop)).toBe(true);
  expect(isOn()).toBe(false);
});

test("what a killed daemon has left on, the next start turns off", async () => {
  const pod = await runPod(berth.podConfig());
  berth.ask("CreateContainer.monitor", "kill");
  await expect(createContainer(pod)).rejects.toThrow();
  await berth.daemon.died();
  expect(isOn()).toBe(true);
  berth.forgive();
  await berth.restart();
  expect(isOn()).toBe(false);
});

test("what somebody else has turned on stays on, over a restart too", async () => {
  fs.writeFileSync(EXPEDITED, "1");
  try {
    await runPod(berth.podConfig());
    expect(isOn()).toBe(true);
    await berth.daemon.kill();
    await berth.restart();
    expect(isOn()).toBe(true);
  } finally {
    fs.writeFileSync(EXPEDITED, "0");
  }
});

test("a daemon that is told not to touches nothing", async () => {
  const { configFile } = berth.daemon;
  const before = fs.readFileSync(configFile, "utf8");
  fs.writeFileSync(configFile, `${before}\n[runtime]\nexpedite_rcu = false\n`);
  await berth.daemon.stop();
  await berth.restart();
  expect(await heldAt("RunPodSandbox.network", () => runPod(berth.podConfig()))).toBe(false);
});
