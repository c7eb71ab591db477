import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ContainerState, PodSandboxState } from "../../api/messages";
import type { CallOptions } from "../../cri/client/client";
import { type FaultKind, type FaultPoint, faultKinds, faultPoints, type FaultyRpc } from "../../sys/fault-points";
import { FaultyDaemon } from "../support/faulty-daemon";
import { busyboxLayer, makeImage, makeLayer } from "../support/images";
import { uniqueId } from "../support/unique";

/**
 * Every step of eight RPCs fails, hangs until its client has given up, and is the last of the daemon's life. Then the object
 * is whole or gone, the retry works, and nothing is left when it is removed. `npm run faults` does it several times over.
 */
const rounds = Number(process.env["FAULT_ROUNDS"] ?? 1);

const berth = new FaultyDaemon();
const { runPod, runContainer, containerConfig, create, createContainer, statusOf, podStatusOf, inside } = berth.pods;
const tally = { tried: 0, passed: 0 };

beforeAll(() => berth.start(), 60_000);
afterAll(async () => {
  await berth.remove();
  if (rounds > 1) process.stdout.write(`faults tried: ${tally.tried}; without loss or leak: ${tally.passed}\n`);
}, 60_000);

/** A call that something is to happen to. */
interface Trial {
  call(options: CallOptions): Promise<unknown>;
  /** Throws where the object is neither whole nor gone. */
  check(kind: FaultKind): Promise<void>;
  /** The same call again, and what it must have brought about. */
  retry(): Promise<void>;
  remove(): Promise<void>;
}

const { CONTAINER_CREATED, CONTAINER_EXITED, CONTAINER_RUNNING } = ContainerState;

const containersOf = async (podSandboxId: string) =>
  (await berth.client.runtime("ListContainers", { filter: { podSandboxId } })).containers;
const removePod = (podSandboxId: string) => berth.client.runtime("RemovePodSandbox", { podSandboxId });

/** Ends by itself when it is asked to. */
const obedient = ["sh", "-c", 'trap "exit 3" TERM; while :; do sleep 0.02; done'];

async function expectToRun(containerId: string): Promise<void> {
  expect(await statusOf(containerId)).toMatchObject({ state: CONTAINER_RUNNING });
  expect(await inside(containerId, "echo works")).toBe("works");
}

const trials: Record<FaultyRpc, () => Promise<Trial>> = {
  async RunPodSandbox() {
    const before = berth.look();
    const config = berth.podConfig({ labels: { trial: uniqueId() } });
    const run = async (options: CallOptions = {}) =>
      (await berth.client.runtime("RunPodSandbox", { config }, options)).podSandboxId;
    const found = async () =>
      (await berth.client.runtime("ListPodSandbox", { filter: { labelSelector: config.labels! } })).items;
    let id = "";
    return {
      call: run,
      async check(kind) {
        const [pod, ...others] = await found();
        expect(others).toEqual([]);
        if (pod) expect(await podStatusOf(pod.id)).toMatchObject({ state: PodSandboxState.SANDBOX_READY });
        else if (kind !== "hang") expect(await berth.changes(before)).toEqual([]);
      },
      async retry() {
        id = await run();
        const { state, network } = await podStatusOf(id);
        expect(state).toBe(PodSandboxState.SANDBOX_READY);
        expect(berth.daemon.allocatedAddresses()).toContain(network!.ip);
        expect((await found()).map((pod) => pod.id)).toEqual([id]);
      },
      remove: () => removePod(id).then(() => {}),
    };
  },

  async CreateContainer() {
    const pod = await runPod(berth.podConfig());
    const before = berth.look();
    const mounts = [{ image: { image: berth.image }, containerPath: "/volume", readonly: true }];
    const config = containerConfig({ mounts });
    return {
      call: (options) => create(pod, config, options),
      async check(kind) {
        const [container, ...others] = await containersOf(pod);
        expect(others).toEqual([]);
        if (container) expect(container).toMatchObject({ state: CONTAINER_CREATED });
        else if (kind !== "hang") expect(await berth.changes(before)).toEqual([]);
      },
      async retry() {
        const containerId = await create(pod, config);
        expect((await containersOf(pod)).map(({ id }) => id)).toEqual([containerId]);
        await berth.client.runtime("StartContainer", { containerId });
        await expectToRun(containerId);
        expect(await inside(containerId, "ls /volume/bin/busybox")).toBe("/volume/bin/busybox");
        await berth.client.runtime("RemoveContainer", { containerId });
        expect(await berth.changes(before)).toEqual([]);
      },
      remove: () => removePod(pod).then(() => {}),
    };
  },

  async StartContainer() {
    const pod = await runPod(berth.podConfig());
    let containerId = await createContainer(pod);
    const start = (options: CallOptions = {}) => berth.client.runtime("StartContainer", { containerId }, options);
    return {
      call: start,
      async check() {
        const { state, reason, startedAt, createdAt } = await statusOf(containerId);
        if (state === CONTAINER_EXITED) expect(reason).toBe("StartError");
        if (state === CONTAINER_RUNNING) {
          expect(startedAt > createdAt).toBe(true);
          await expectToRun(containerId);
        }
      },
      async retry() {
        const { state } = await statusOf(containerId);
        // as the kubelet does: what did not start is made anew
        if (state === CONTAINER_EXITED) containerId = await createContainer(pod);
        const again = await start().catch((error) => error);
        // the first may just have come to its end
        if (again instanceof Error) expect(again).toMatchObject({ code: "FailedPrecondition" });
        await expectToRun(containerId);
      },
      remove: () => removePod(pod).then(() => {}),
    };
  },

  async StopContainer() {
    const pod = await runPod(berth.podConfig());
    const containerId = await runContainer(pod, { command: obedient });
    const stop = (options: CallOptions = {}) =>
      berth.client.runtime("StopContainer", { containerId, timeout: 5n }, options);
    const exited = { state: CONTAINER_EXITED, exitCode: 3, reason: "Error" };
    return {
      call: stop,
      async check(kind) {
        const status = await statusOf(containerId);
        if (status.state !== CONTAINER_RUNNING) expect(status).toMatchObject(exited);
        else if (kind === "kill") await inside(containerId, "true").catch(() => {});
      },
      async retry() {
        await stop();
        expect(await statusOf(containerId)).toMatchObject(exited);
      },
      remove: () => removePod(pod).then(() => {}),
    };
  },

  async RemoveContainer() {
    const pod = await runPod(berth.podConfig());
    const before = berth.look();
    const containerId = await runContainer(pod);
    const remove = (options: CallOptions = {}) => berth.client.runtime("RemoveContainer", { containerId }, options);
    return {
      call: remove,
      async check(kind) {
        const left = await containersOf(pod);
        if (left.length === 0 && kind !== "hang") expect(await berth.changes(before)).toEqual([]);
      },
      async retry() {
        await remove();
        expect(await containersOf(pod)).toEqual([]);
        expect(await berth.changes(before)).toEqual([]);
      },
      remove: () => removePod(pod).then(() => {}),
    };
  },

  async StopPodSandbox() {
    const addresses = berth.daemon.allocatedAddresses();
    const pod = await runPod(berth.podConfig());
    const containerId = await runContainer(pod);
    const stop = (options: CallOptions = {}) => berth.client.runtime("StopPodSandbox", { podSandboxId: pod }, options);
    return {
      call: stop,
      async check() {
        expect((await podStatusOf(pod)).id).toBe(pod);
      },
      async retry() {
        await stop();
        expect(await podStatusOf(pod)).toMatchObject({ state: PodSandboxState.SANDBOX_NOTREADY });
        expect(await statusOf(containerId)).toMatchObject({ state: CONTAINER_EXITED, exitCode: 137 });
        expect(berth.daemon.allocatedAddresses().sort()).toEqual(addresses.sort());
      },
      remove: () => removePod(pod).then(() => {}),
    };
  },

  async RemovePodSandbox() {
    const before = berth.look();
    const pod = await runPod(berth.podConfig());
    await runContainer(pod);
    const remove = (options: CallOptions = {}) =>
      berth.client.runtime("RemovePodSandbox", { podSandboxId: pod }, options);
    const found = async () => (await berth.client.runtime("ListPodSandbox", { filter: { id: pod } })).items;
    return {
      call: remove,
      async check(kind) {
        if ((await found()).length === 0 && kind !== "hang") expect(await berth.changes(before)).toEqual([]);
      },
      async retry() {
        await remove();
        expect(await found()).toEqual([]);
      },
      remove: async () => {},
    };
  },

  async PullImage() {
    // layers that no other image has
    const file = (name: string) => makeLayer([{ path: name, body: uniqueId() }]);
    const layers = [busyboxLayer(), file("first"), file("second")];
    const image = await berth.registry.push(`test/trial-${uniqueId()}`, makeImage({ layers }));
    const pull = (options: CallOptions = {}) => berth.client.image("PullImage", { image: { image } }, options);
    const expectWhole = async () => {
      const containerId = await runContainer(berth.bystander.podId, { image: { image } });
      expect(await inside(containerId, "cat /first /second | wc -c")).toBe("16");
      await berth.client.runtime("RemoveContainer", { containerId });
    };
    return {
      call: pull,
      async check() {
        const { image: found } = await berth.client.image("ImageStatus", { image: { image } });
        if (found) await expectWhole();
      },
      async retry() {
        await pull();
        await expectWhole();
      },
      remove: () => berth.client.image("RemoveImage", { image: { image } }).then(() => {}),
    };
  },
};

/** What others ask for is answered, and another pod comes and goes. */
async function expectOthersToBeServed(): Promise<void> {
  const { podId, containerId } = berth.bystander;
  const options = { timeoutMs: 5000 };
  await Promise.all([
    berth.client.runtime("Version", {}, options),
    berth.client.runtime("ListPodSandbox", {}, options),
    berth.client.runtime("PodSandboxStatus", { podSandboxId: podId }, options),
    berth.client.runtime("ContainerStatus", { containerId }, options),
    berth.client.runtime("ExecSync", { containerId, cmd: ["true"] }, options),
  ]);
}

async function tryFault(rpc: FaultyRpc, point: FaultPoint, kind: FaultKind): Promise<void> {
  tally.tried++;
  berth.forgive();
  const before = berth.look();
  const trial = await trials[rpc]();
  berth.ask(point, kind);
  const leave = new AbortController();
  const outcome = trial.call({ signal: leave.signal }).catch((error) => error);
  expect(await berth.reached()).toBe(true);
  if (kind === "hang") {
    await expectOthersToBeServed();
    leave.abort();
  }
  await outcome;
  berth.forgive();
  if (kind === "kill") await berth.restart();
  await trial.check(kind);
  await trial.retry();
  await trial.remove();
  expect(await berth.changes(before)).toEqual([]);
  tally.passed++;
}

const points = Object.entries(faultPoints).flatMap(([rpc, steps]) =>
  steps.map((step) => [rpc as FaultyRpc, `${rpc}.${step}` as FaultPoint] as const),
);

describe.each(Array.from({ length: rounds }, (_, round) => round + 1))("round %i", () => {
  describe.each(faultKinds)("a step that is made to %s", (kind) => {
    test.each(points)("in %s: %s", (rpc, point) => tryFault(rpc, point, kind));
  });
});

test("what had nothing to do with it has run all the time and has lost no line", async () => {
  expect(await berth.harmToBystander()).toEqual([]);
});
