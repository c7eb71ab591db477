import { randomInt } from "node:crypto";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ContainerConfig, ContainerState, type Init, type PodSandboxConfig } from "../../api/messages";
import { counting, FaultyDaemon, linesLost } from "../support/faulty-daemon";

/** `npm run faults` does it many times over. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 2);
const podCount = 24;
/** A pod has four: of its sandbox, its container, its start, and of what comes of it or its removal. */
const mostAnswers = 4 * podCount;

const berth = new FaultyDaemon();
const { create, containerConfig, statusOf, processesOf } = berth.pods;
const tally = { kills: 0, pods: 0, unhurt: 0 };

beforeAll(() => berth.start(), 60_000);
afterAll(async () => {
  await berth.remove();
  if (rounds > 2)
    process.stdout.write(`${tally.kills} kills in bursts of pods: ${tally.pods} pods, all made whole or removed; `);
  if (rounds > 2) process.stdout.write(`${tally.unhurt} that ran already went on unhurt\n`);
}, 60_000);

interface Pod {
  config: Init<PodSandboxConfig>;
  container: Init<ContainerConfig>;
  /** Goes as soon as it has come. */
  leaves: boolean;
  /** As soon as its start was answered; of one that stays. */
  started?: { containerId: string; pid: number };
}

/** The same from wherever it was cut off: requests are retried as the kubelet does. */
async function bringUp({ config, container }: Pod, answered = () => {}): Promise<string> {
  const { podSandboxId } = await berth.client.runtime("RunPodSandbox", { config });
  answered();
  const containerId = await create(podSandboxId, container);
  answered();
  const { state } = await statusOf(containerId);
  if (state === ContainerState.CONTAINER_CREATED) await berth.client.runtime("StartContainer", { containerId });
  answered();
  return containerId;
}

async function live(pod: Pod, answered: () => void): Promise<void> {
  const containerId = await bringUp(pod, answered);
  if (pod.leaves) {
    const { podSandboxId } = await berth.client.runtime("RunPodSandbox", { config: pod.config });
    await berth.client.runtime("StopPodSandbox", { podSandboxId });
    await berth.client.runtime("RemovePodSandbox", { podSandboxId });
  } else {
    const { pid } = await processesOf(containerId);
    pod.started = { containerId, pid };
  }
  answered();
}

async function expectUnhurt(containerId: string, pid: number): Promise<void> {
  expect((await processesOf(containerId)).pid).toBe(pid);
  expect(linesLost(fs.readFileSync((await statusOf(containerId)).logPath, "utf8"))).toEqual([]);
  tally.unhurt++;
}

describe("a daemon that is killed by SIGKILL while 24 pods come and go", () => {
  test.each(Array.from({ length: rounds }, (_, round) => [round + 1, randomInt(1, mostAnswers)] as const))(
    "round %i: after %i answers loses none that ran, finishes the others when it is asked again, and leaves nothing",
    async (_, answers) => {
      const before = berth.look();
      const pods = Array.from({ length: podCount }, (_each, index): Pod => {
        return {
          config: berth.podConfig(),
          container: containerConfig({ command: counting }),
          leaves: index % 3 === 0,
        };
      });
      let lives: Promise<void>[] = [];
      let left = answers;
      await new Promise<void>((resolve) => {
        const answered = () => {
          if (--left === 0) resolve();
        };
        lives = pods.map((pod) => live(pod, answered).catch(() => {}));
      });
      // in the middle of what it does then
      await sleep(randomInt(20));
      await berth.daemon.kill();
      await Promise.all(lives);
      await berth.restart();
      tally.kills++;

      // those that were to leave go, however far they had come
      const stay = pods.filter(({ leaves }) => !leaves);
      const leaving = new Set(pods.filter(({ leaves }) => leaves).map(({ config }) => config.metadata!.uid));
      const found = (await berth.client.runtime("ListPodSandbox", {})).items;
      const gone = found.filter(({ metadata }) => leaving.has(metadata!.uid));
      await Promise.all(gone.map(({ id }) => berth.client.runtime("RemovePodSandbox", { podSandboxId: id })));
      const ids = await Promise.all(stay.map((pod) => bringUp(pod)));
      for (const [index, pod] of stay.entries()) {
        expect(await statusOf(ids[index]!)).toMatchObject({ state: ContainerState.CONTAINER_RUNNING });
        if (pod.started) {
          expect(ids[index]).toBe(pod.started.containerId);
          await expectUnhurt(pod.started.containerId, pod.started.pid);
        }
      }
      const { items } = await berth.client.runtime("ListPodSandbox", {});
      expect(items).toHaveLength(stay.length + 1);
      const ours = items.filter(({ id }) => id !== berth.bystander.podId);
      await Promise.all(ours.map(({ id }) => berth.client.runtime("RemovePodSandbox", { podSandboxId: id })));
      expect(await berth.changes(before)).toEqual([]);
      tally.pods += podCount;
    },
  );

  test("what was there before has run all the time and has lost no line", async () => {
    expect(await berth.harmToBystander()).toEqual([]);
  });
});
