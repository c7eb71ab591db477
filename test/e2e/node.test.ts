import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { FILES, NODE } from "../../hack/cluster/node.cjs";
import { holdService, releaseService, restartService } from "../../hack/cluster/services.cjs";
import { eventually } from "./support/eventually";
import { core } from "./support/kubernetes";
import { idle, Namespace, shell, statusOf } from "./support/namespace";
import { kubectl, output } from "./support/run";

let namespace: Namespace;
beforeAll(async () => {
  namespace = await Namespace.create("node");
});
afterAll(() => namespace.remove());

/** What the kubelet serves under a path. */
const kubelet = (path: string) => kubectl("get", "--raw", `/api/v1/nodes/${NODE.name}/proxy/${path}`);

const nodeIsReady = async () => {
  const node = await core.readNode({ name: NODE.name });
  return node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
};

test("the node says what runs it, and which handlers and features it has", async () => {
  const { status } = await core.readNode({ name: NODE.name });
  expect(status?.nodeInfo?.containerRuntimeVersion).toMatch(/^berth:\/\/\d+\.\d+\.\d+/);
  const handlers = status?.runtimeHandlers ?? [];
  expect(handlers.map(({ name }) => name)).toEqual(expect.arrayContaining(["", "crun", "runc"]));
  expect(handlers.find(({ name }) => name === "")?.features).toMatchObject({
    recursiveReadOnlyMounts: true,
    userNamespaces: true,
  });
  expect(status?.features?.supplementalGroupsPolicy).toBe(true);
});

test("the summary has each container's CPU, memory and disk, as Berth tells them", async () => {
  await namespace.readyPod("busy", {
    containers: [
      shell("dd if=/dev/zero of=/big bs=1M count=8; while :; do :; done", { resources: { limits: { cpu: "100m" } } }),
    ],
  });
  interface Usage {
    cpu?: { usageCoreNanoSeconds?: number; usageNanoCores?: number };
    memory?: { workingSetBytes?: number };
    rootfs?: { usedBytes?: number };
    network?: { rxBytes?: number };
  }
  type Pod = Usage & { podRef: { name: string; namespace: string }; containers: (Usage & { name: string })[] };
  const find = async () => {
    const { pods } = JSON.parse(await kubelet("stats/summary")) as { pods: Pod[] };
    return pods.find(({ podRef }) => podRef.namespace === namespace.name && podRef.name === "busy");
  };
  const pod = await eventually("the pod's use is told", find, (one) => {
    const main = one?.containers.find(({ name }) => name === "main");
    return Boolean((main?.cpu?.usageNanoCores ?? 0) > 0 && (main?.rootfs?.usedBytes ?? 0) >= 8 * 2 ** 20);
  });
  const main = pod?.containers.find(({ name }) => name === "main");
  expect(main?.memory?.workingSetBytes).toBeGreaterThan(0);
  expect(main?.cpu?.usageCoreNanoSeconds).toBeGreaterThan(0);
  expect(pod?.cpu?.usageCoreNanoSeconds).toBeGreaterThan(0);
  expect(pod?.network?.rxBytes).toBeDefined();
});

test("/metrics/cadvisor has the containers' metrics, as Berth tells them", async () => {
  await namespace.readyPod("measured", { containers: [idle()] });
  const labels = new RegExp(
    `namespace="${namespace.name}".*pod="measured"|pod="measured".*namespace="${namespace.name}"`,
  );
  const lines = await eventually(
    "the pod's metrics",
    async () => (await kubelet("metrics/cadvisor")).split("\n").filter((line) => labels.test(line)),
    (found) => found.some((line) => line.startsWith("container_cpu_usage_seconds_total{")),
  );
  const names = new Set(lines.map((line) => line.split("{")[0]));
  for (const name of [
    "container_memory_working_set_bytes",
    "container_network_receive_bytes_total",
    "container_fs_usage_bytes",
    "container_processes",
  ])
    expect(names).toContain(name);
  const resource = await kubelet("metrics/resource");
  expect(resource).toMatch(
    new RegExp(`container_cpu_usage_seconds_total\\{container="main",namespace="${namespace.name}",pod="measured"`),
  );
});

test("the kubelet hears of containers by Berth's events", async () => {
  const metrics = await kubelet("metrics");
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)`, "m").exec(metrics)?.[1]);
  expect(value("kubelet_evented_pleg_connection_success_count")).toBeGreaterThanOrEqual(1);
  const latency = value("kubelet_evented_pleg_connection_latency_seconds_count");
  expect(latency).toBeGreaterThanOrEqual(1);
});

test("a static pod comes with its file and goes with it", async () => {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "static", namespace: namespace.name },
    spec: { terminationGracePeriodSeconds: 2, containers: [idle()] },
  };
  const file = `${FILES.manifests}/${namespace.name}.json`;
  const name = `static-${NODE.name}`;
  fs.writeFileSync(file, JSON.stringify(pod));
  try {
    await namespace.ready(name);
  } finally {
    fs.rmSync(file);
  }
  const uid = async () => (await output("crictl", "pods", "--quiet", "--name", name)).trim();
  await eventually("it is gone from the node", uid, (text) => text === "");
});

test("pods go on while the kubelet is away, and it takes them up again", async () => {
  const before = await namespace.readyPod("kept", { restartPolicy: "Always", containers: [idle()] });
  await namespace.pod("ends", { containers: [shell("sleep 3; exit 3")] });
  await namespace.until("ends", "runs", (pod) => pod.status?.phase === "Running");
  await holdService("kubelet", "SIGKILL");
  await sleep(5000); // a container ends unseen
  releaseService("kubelet");
  const ended = await namespace.ended("ends");
  expect(statusOf(ended)?.state?.terminated?.exitCode).toBe(3);
  await eventually("the node is Ready", nodeIsReady);
  const after = await namespace.ready("kept");
  expect(statusOf(after)).toMatchObject({ restartCount: 0, containerID: statusOf(before)?.containerID });
});

test("pods, their logs and their addresses go on while Berth is killed, and it takes them up again", async () => {
  const script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done";
  const before = await namespace.readyPod("counter", {
    restartPolicy: "Always",
    containers: [
      shell(script, { livenessProbe: { exec: { command: ["true"] }, periodSeconds: 1, failureThreshold: 30 } }),
    ],
  });
  await namespace.pod("short", { containers: [shell("sleep 2; exit 4")] });
  await namespace.until("short", "runs", (pod) => pod.status?.phase === "Running");
  for (let n = 0; n < 3; n++) {
    await restartService("berth", "SIGKILL");
    await sleep(2000);
  }
  expect(statusOf(await namespace.ended("short"))?.state?.terminated?.exitCode).toBe(4);
  await eventually("exec works again", () => namespace.exec("counter", "true").then(() => true));
  await eventually("the node is Ready", nodeIsReady);
  const after = await namespace.ready("counter");
  expect(after.status?.podIP).toBe(before.status?.podIP);
  expect(statusOf(after)).toMatchObject({ restartCount: 0, containerID: statusOf(before)?.containerID });
  // Every line is there: nobody but the monitor stands between a container and its log.
  const directory = `/var/log/pods/${namespace.name}_counter_${after.metadata?.uid}/main`;
  const numbers = fs
    .readdirSync(directory)
    .sort((a, b) => fs.statSync(`${directory}/${a}`).mtimeMs - fs.statSync(`${directory}/${b}`).mtimeMs)
    .filter((name) => !name.endsWith(".gz"))
    .flatMap((name) => fs.readFileSync(`${directory}/${name}`, "utf8").trim().split("\n"))
    .map((line) => Number(line.split(" ")[3]));
  expect(numbers).toEqual(numbers.map((_, n) => (numbers[0] ?? 0) + n));
  await namespace.readyPod("new", { containers: [idle()] });
});

test("a pod that goes while Berth is away leaves nothing behind", async () => {
  const pod = await namespace.readyPod("leaving", { containers: [idle()] });
  const sandbox = async () => (await output("crictl", "pods", "--quiet", "--name", "^leaving$")).trim();
  const id = await sandbox();
  expect(id).not.toBe("");
  await holdService("berth", "SIGKILL");
  await namespace.kubectl("delete", "pod", "leaving", "--wait=false");
  await sleep(3000);
  releaseService("berth");
  await eventually(
    "the pod is gone from the API",
    () => namespace.tryKubectl(["get", "pod", "leaving"]),
    ({ status }) => status !== 0,
  );
  await eventually("the sandbox is gone", sandbox, (text) => text === "");
  const mounts = fs.readFileSync("/proc/self/mountinfo", "utf8");
  expect(mounts).not.toContain(id);
  expect(mounts).not.toContain(pod.metadata?.uid);
});
