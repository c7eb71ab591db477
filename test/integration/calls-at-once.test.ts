import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { ContainerState, PodSandboxState } from "../../api/messages";
import { type FaultPoint, faultPoints, type FaultyRpc } from "../../sys/fault-points";
import { FaultyDaemon } from "../support/faulty-daemon";
import { busyboxLayer, makeImage, makeLayer } from "../support/images";
import { uniqueId } from "../support/unique";
import type { WhatThereIs } from "../support/what-there-is";

/** Two calls about the same object at once: the first is held at each of its steps while the second comes. */
const berth = new FaultyDaemon();
const { runPod, runContainer, containerConfig, create, createContainer, statusOf, podStatusOf, inside } = berth.pods;
let before: WhatThereIs;

beforeAll(() => berth.start(), 60_000);
beforeEach(() => {
  berth.forgive();
  before = berth.look();
});
// whatever came of the two, it can be taken away
afterEach(async () => {
  berth.forgive();
  const { items } = await berth.client.runtime("ListPodSandbox", {});
  const ours = items.filter(({ id }) => id !== berth.bystander.podId);
  await Promise.all(ours.map(({ id }) => berth.client.runtime("RemovePodSandbox", { podSandboxId: id })));
  expect(await berth.changes(before)).toEqual([]);
});
afterAll(() => berth.remove(), 60_000);

const newPod = () => runPod(berth.podConfig());
const stepsOf = (rpc: FaultyRpc) => faultPoints[rpc].map((step) => `${rpc}.${step}` as FaultPoint);
const codes = (outcomes: PromiseSettledResult<unknown>[]) =>
  outcomes.map((each) => (each.status === "fulfilled" ? "OK" : each.reason.code));

/** `second` is called while `first` is held at `point`; how both ended. */
async function during(point: FaultPoint, first: () => Promise<unknown>, second: () => Promise<unknown>) {
  berth.ask(point, "hang");
  const held = first();
  const outcomes = Promise.allSettled([held, berth.reached().then(second)]);
  expect(await berth.reached()).toBe(true);
  // so that the second is under way as well
  await berth.client.runtime("Version", {});
  berth.forgive();
  return codes(await outcomes);
}

async function newImage(): Promise<string> {
  const layers = [busyboxLayer(), makeLayer([{ path: "own", body: uniqueId() }])];
  return berth.registry.push(`test/at-once-${uniqueId()}`, makeImage({ layers }));
}

describe("the same call twice at once", () => {
  test("RunPodSandbox() makes one sandbox, and CreateContainer() one container, whose ID both callers get", async () => {
    const config = berth.podConfig();
    const run = () => berth.client.runtime("RunPodSandbox", { config });
    const [pod, same] = await Promise.all([run(), run()]);
    expect(same).toEqual(pod);
    const container = containerConfig();
    const ids = await Promise.all([1, 2].map(() => create(pod.podSandboxId, container)));
    const { containers } = await berth.client.runtime("ListContainers", { filter: { podSandboxId: pod.podSandboxId } });
    expect(ids).toEqual([containers[0]!.id, containers[0]!.id]);
    expect(containers).toHaveLength(1);
  });

  test("StartContainer() starts once, and StopContainer() and RemoveContainer() succeed for both", async () => {
    const containerId = await createContainer(await newPod());
    const twice = (call: () => Promise<unknown>) => Promise.allSettled([call(), call()]).then(codes);
    expect((await twice(() => berth.client.runtime("StartContainer", { containerId }))).sort()).toEqual([
      "FailedPrecondition",
      "OK",
    ]);
    expect(await inside(containerId, "echo works")).toBe("works");
    expect(await twice(() => berth.client.runtime("StopContainer", { containerId, timeout: 0n }))).toEqual([
      "OK",
      "OK",
    ]);
    expect((await statusOf(containerId)).state).toBe(ContainerState.CONTAINER_EXITED);
    expect(await twice(() => berth.client.runtime("RemoveContainer", { containerId }))).toEqual(["OK", "OK"]);
  });

  test("StopPodSandbox() and RemovePodSandbox() succeed for both", async () => {
    const podSandboxId = await newPod();
    await runContainer(podSandboxId);
    const stop = () => berth.client.runtime("StopPodSandbox", { podSandboxId });
    expect(codes(await Promise.allSettled([stop(), stop()]))).toEqual(["OK", "OK"]);
    expect((await podStatusOf(podSandboxId)).state).toBe(PodSandboxState.SANDBOX_NOTREADY);
    const remove = () => berth.client.runtime("RemovePodSandbox", { podSandboxId });
    expect(codes(await Promise.allSettled([remove(), remove()]))).toEqual(["OK", "OK"]);
  });

  test("PullImage() gives both the one image", async () => {
    const image = await newImage();
    const pull = () => berth.client.image("PullImage", { image: { image } });
    const [one, other] = await Promise.all([pull(), pull()]);
    expect(other).toEqual(one);
    await berth.client.image("RemoveImage", { image: { image } });
  });
});

describe("a start that is held", () => {
  test.each(stepsOf("StartContainer"))("at %s, beside StopContainer(): the container has ended", async (point) => {
    const containerId = await createContainer(await newPod());
    await during(
      point,
      () => berth.client.runtime("StartContainer", { containerId }),
      () => berth.client.runtime("StopContainer", { containerId, timeout: 0n }),
    );
    expect(await statusOf(containerId)).toMatchObject({ state: ContainerState.CONTAINER_EXITED, exitCode: 137 });
  });

  test.each(stepsOf("StartContainer"))("at %s, beside RemoveContainer(): the container is gone", async (point) => {
    const pod = await newPod();
    const withPod = berth.look();
    const containerId = await createContainer(pod);
    await during(
      point,
      () => berth.client.runtime("StartContainer", { containerId }),
      () => berth.client.runtime("RemoveContainer", { containerId }),
    );
    await expect(statusOf(containerId)).rejects.toMatchObject({ code: "NotFound" });
    expect(await berth.changes(withPod)).toEqual([]);
  });
});

describe("a creation that is held", () => {
  test.each(stepsOf("CreateContainer"))("at %s, beside RemovePodSandbox(): both are gone", async (point) => {
    const podSandboxId = await newPod();
    const mounts = [{ image: { image: berth.image }, containerPath: "/volume", readonly: true }];
    const outcomes = await during(
      point,
      () => createContainer(podSandboxId, { mounts }),
      () => berth.client.runtime("RemovePodSandbox", { podSandboxId }),
    );
    expect(outcomes[1]).toBe("OK");
    const { items } = await berth.client.runtime("ListPodSandbox", { filter: { id: podSandboxId } });
    const { containers } = await berth.client.runtime("ListContainers", { filter: { podSandboxId } });
    expect([items, containers]).toEqual([[], []]);
    expect(await berth.changes(before)).toEqual([]);
  });
});

describe("a pull that is held", () => {
  test.each(stepsOf("PullImage"))("at %s, beside RemoveImage(): what is listed is whole", async (point) => {
    const image = await newImage();
    const outcomes = await during(
      point,
      () => berth.client.image("PullImage", { image: { image } }),
      () => berth.client.image("RemoveImage", { image: { image } }),
    );
    expect(outcomes).toEqual(["OK", "OK"]);
    const { image: found } = await berth.client.image("ImageStatus", { image: { image } });
    if (found) {
      const containerId = await runContainer(berth.bystander.podId, { image: { image } });
      expect(await inside(containerId, "wc -c </own")).toBe("8");
      await berth.client.runtime("RemoveContainer", { containerId });
    }
    await berth.client.image("RemoveImage", { image: { image } });
  });
});
