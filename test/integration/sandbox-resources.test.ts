import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Client } from "../../cri/client/client";
import { Crictl } from "../support/crictl";
import { startDaemon, type TestDaemon } from "../support/daemon";

/** UpdatePodSandboxResources, as the kubelet calls it when a pod is resized in place. */
let daemon: TestDaemon;
let client: Client;
beforeAll(async () => {
  daemon = await startDaemon();
  client = new Client(daemon.socket);
}, 60_000);
afterAll(async () => {
  client?.close();
  await daemon?.remove();
}, 60_000);

const info = async (podSandboxId: string) => {
  const status = await client.runtime("PodSandboxStatus", { podSandboxId, verbose: true });
  const { overhead, resources } = JSON.parse(status.info["info"]!);
  return { overhead: overhead?.linux, resources: resources?.linux };
};

test("limits of a pod are kept, shown by crictl, and outlast a restart", async () => {
  const linux = { resources: { cpuShares: 100n }, overhead: { memoryLimitInBytes: 1n << 20n } };
  const metadata = { name: "pod", namespace: "default", uid: "uid" };
  const { podSandboxId } = await client.runtime("RunPodSandbox", { config: { metadata, linux } });
  expect(await info(podSandboxId)).toMatchObject({
    overhead: { memoryLimitInBytes: 1 << 20 },
    resources: { cpuShares: 100 },
  });

  const limits = { cpuShares: 512n, cpuQuota: 50000n, cpuPeriod: 100000n, memoryLimitInBytes: 1n << 40n };
  await client.runtime("UpdatePodSandboxResources", { podSandboxId, resources: limits });
  const shown = { cpuShares: 512, cpuQuota: 50000, cpuPeriod: 100000, memoryLimitInBytes: 2 ** 40 };
  const expected = { overhead: { memoryLimitInBytes: 1 << 20 }, resources: shown };
  expect(await info(podSandboxId)).toMatchObject(expected);

  await daemon.kill();
  await daemon.start();
  expect(await info(podSandboxId)).toMatchObject(expected);
  const inspected = await new Crictl(daemon).json<{ info: { resources: object } }>("inspectp", podSandboxId);
  expect(inspected.info.resources).toMatchObject({ linux: shown });
  await client.runtime("UpdatePodSandboxResources", { podSandboxId, overhead: { cpuShares: 7n } });
  expect(await info(podSandboxId)).toMatchObject({ overhead: { cpuShares: 7 }, resources: shown });
}, 30_000);

test("what is unknown is NotFound, and what no kernel takes InvalidArgument", async () => {
  const update = (podSandboxId: string, resources: object) =>
    client.runtime("UpdatePodSandboxResources", { podSandboxId, resources });
  await expect(update("0".repeat(64), {})).rejects.toMatchObject({ code: "NotFound" });
  await expect(update("", {})).rejects.toMatchObject({ code: "InvalidArgument" });
  const { items } = await client.runtime("ListPodSandbox", {});
  const { id } = items[0]!;
  const before = await info(id);
  for (const wrong of [
    { cpuPeriod: 1n },
    { cpuQuota: 3n },
    { cpuShares: -1n },
    { memoryLimitInBytes: -2n },
    { cpusetCpus: "../x" },
    { hugepageLimits: [{ pageSize: "2 of them", limit: 1n }] },
    { unified: { "../x": "1" } },
  ]) {
    await expect(update(id, wrong)).rejects.toMatchObject({ code: "InvalidArgument" });
  }
  expect(await info(id)).toEqual(before);
});
