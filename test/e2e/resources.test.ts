import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { FILES, NODE } from "../../hack/cluster/node.cjs";
import { restartService } from "../../hack/cluster/services.cjs";
import { eventually } from "./support/eventually";
import { core } from "./support/kubernetes";
import { idle, Namespace, shell, statusOf } from "./support/namespace";

let namespace: Namespace;
beforeAll(async () => {
  namespace = await Namespace.create("resources");
});
afterAll(() => namespace.remove());

const MIB = 2 ** 20;
/** Limits as the container sees them: bytes of memory, microseconds of CPU in each period, weight. */
const READ_LIMITS = `if [ -e /sys/fs/cgroup/cgroup.controllers ]; then cd /sys/fs/cgroup; cat memory.max; cut -d' ' -f1 cpu.max; cat cpu.weight
else cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.shares; fi`;

test("requests and limits are the cgroup's, and a resize changes them under the running process", async () => {
  const resources = { requests: { cpu: "100m", memory: "32Mi" }, limits: { cpu: "200m", memory: "64Mi" } };
  const before = await namespace.readyPod("resize", { containers: [idle({ resources })] });
  const limits = async () =>
    (await namespace.exec("resize", "sh", "-c", READ_LIMITS)).trim().split("\n").slice(0, 2).map(Number);
  expect(await limits()).toEqual([64 * MIB, 20_000]);

  const bigger = { requests: { cpu: "150m", memory: "48Mi" }, limits: { cpu: "400m", memory: "128Mi" } };
  const patch = JSON.stringify({ spec: { containers: [{ name: "main", resources: bigger }] } });
  await namespace.kubectl("patch", "pod", "resize", "--subresource=resize", "--patch", patch);
  const after = await namespace.until("resize", "has its new limits", (pod) => {
    const actual = statusOf(pod)?.resources?.limits;
    return actual?.["memory"] === "128Mi" && actual["cpu"] === "400m";
  });
  expect(await limits()).toEqual([128 * MIB, 40_000]);
  expect(statusOf(after)).toMatchObject({ restartCount: 0, containerID: statusOf(before)?.containerID });
});

test("a container that takes more memory than its limit is OOMKilled", async () => {
  await namespace.pod("oom", {
    containers: [shell("x=aaaaaaaa; while :; do x=$x$x; done", { resources: { limits: { memory: "24Mi" } } })],
  });
  const pod = await namespace.ended("oom");
  expect(statusOf(pod)?.state?.terminated).toMatchObject({ reason: "OOMKilled", exitCode: 137 });
});

test("a pod that fills its writable layer beyond its limit is evicted", async () => {
  await namespace.pod("layer", {
    containers: [
      shell("dd if=/dev/zero of=/big bs=1M count=40; exec sleep 1000", {
        resources: { limits: { "ephemeral-storage": "16Mi" } },
      }),
    ],
  });
  const pod = await namespace.until("layer", "is evicted", ({ status }) => status?.reason === "Evicted");
  expect(pod.status?.phase).toBe("Failed");
  expect(pod.status?.message).toMatch(/ephemeral local storage/);
});

test("a pod that fills an emptyDir beyond its limit is evicted", async () => {
  await namespace.pod("volume", {
    volumes: [{ name: "volume", emptyDir: { sizeLimit: "8Mi" } }],
    containers: [
      shell("dd if=/dev/zero of=/volume/big bs=1M count=40; exec sleep 1000", {
        volumeMounts: [{ name: "volume", mountPath: "/volume" }],
      }),
    ],
  });
  const pod = await namespace.until("volume", "is evicted", ({ status }) => status?.reason === "Evicted");
  expect(pod.status?.message).toMatch(/exceeds the limit "8Mi"/);
});

test("a node that is short of memory says so, and evicts the pod that was promised the least", async () => {
  // Promised something, for the kubelet does not even take back a pod that was promised nothing.
  await namespace.readyPod("spare", { containers: [idle({ resources: { requests: { memory: "64Ki" } } })] });
  const pressure = async () => {
    const { status } = await core.readNode({ name: NODE.name });
    return status?.conditions?.find(({ type }) => type === "MemoryPressure")?.status;
  };
  const configuration = fs.readFileSync(FILES.kubeletConfig, "utf8");
  // Always: the machine uses more than a hundredth of its memory.
  const short = {
    ...JSON.parse(configuration),
    evictionSoft: { "memory.available": "99%" },
    evictionSoftGracePeriod: { "memory.available": "1s" },
    evictionMaxPodGracePeriod: 2,
  };
  fs.writeFileSync(FILES.kubeletConfig, JSON.stringify(short));
  try {
    await restartService("kubelet");
    const pod = await namespace.until("spare", "is evicted", ({ status }) => status?.reason === "Evicted");
    expect(pod.status?.message).toMatch(/low on resource: memory/);
    await eventually("the node says so", pressure, (status) => status === "True");
  } finally {
    fs.writeFileSync(FILES.kubeletConfig, configuration);
    await restartService("kubelet");
  }
  await eventually("the pressure is over", pressure, (status) => status === "False");
});
