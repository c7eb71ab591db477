#!/usr/bin/env node
// Fills the node of a cluster with pods, and tells how long that took and what the runtime took for it. Run it in a
// cluster of hack/cluster.mjs:
//   hack/cluster.mjs --default-gates -- hack/fill-node.mjs
//   hack/cluster.mjs --default-gates --runtime containerd -- hack/fill-node.mjs
// usage: hack/fill-node.mjs [--pods 110] [--idle-seconds 60]
//   --pods N           pods of the Deployment; the cluster's own come on top
//   --idle-seconds N   how long the node is watched once all are Ready
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import machine from "./support/machine.cjs";

const { values } = parseArgs({
  options: { pods: { type: "string", default: "110" }, "idle-seconds": { type: "string", default: "60" } },
});
const pods = Number(values.pods);
const idleSeconds = Number(values["idle-seconds"]);
const cgroup = process.env.BERTH_CLUSTER_CGROUP;
if (!cgroup || !(pods > 0) || !(idleSeconds > 0)) {
  console.error("hack/fill-node.mjs: usage: hack/cluster.mjs -- hack/fill-node.mjs [--pods N] [--idle-seconds N]");
  process.exit(2);
}

const kubectl = (args, input) =>
  execFileSync("kubectl", args, { encoding: "utf8", input, stdio: ["pipe", "pipe", "inherit"] });
const NAME = "fill";
/** What follows the start of a pod: status updates, first statistics. */
const SETTLE_MS = 20_000;
const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: NAME },
  spec: {
    replicas: 1,
    progressDeadlineSeconds: 3600,
    selector: { matchLabels: { app: NAME } },
    template: {
      metadata: { labels: { app: NAME } },
      spec: {
        terminationGracePeriodSeconds: 2,
        containers: [{ name: "main", image: "e2e/busybox:1", command: ["sleep", "100000"] }],
      },
    },
  },
};

/** Seconds of CPU that the runtime and what it started have used: its daemon, monitors or shims, plugins, runc. */
function cpuSeconds() {
  const v1 = `/sys/fs/cgroup/cpuacct/${cgroup}/runtime/cpuacct.usage`;
  if (fs.existsSync(v1)) return Number(fs.readFileSync(v1, "utf8")) / 1e9;
  const stat = fs.readFileSync(`/sys/fs/cgroup/${cgroup}/runtime/cpu.stat`, "utf8");
  return Number(/^usage_usec (\d+)/m.exec(stat)?.[1]) / 1e6;
}

/** Processes of a runtime by their program, with the memory that each has for itself and its share of the rest (PSS). */
function runtimeMemory() {
  const kinds = {
    berth: /dist\/berth\.js/,
    conmon: /^\S*conmon /,
    containerd: /^\S*containerd$/,
    shim: /containerd-shim/,
    pause: /^\/pause/,
  };
  const found = {};
  for (const { pid, args } of machine.processes()) {
    const [kind] = Object.entries(kinds).find(([, pattern]) => pattern.test(args)) ?? [];
    if (!kind) continue;
    const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    found[kind] ??= { processes: 0, mib: 0 };
    found[kind].processes++;
    found[kind].mib += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1024;
  }
  return found;
}

/** Waits until so many of the pods are Ready, and so many are there at all; seconds since `began`. */
async function waitForPods(count, began) {
  for (;;) {
    const { items } = JSON.parse(kubectl(["get", "pods", "--selector", `app=${NAME}`, "--output", "json"]));
    const ready = items.filter(({ status }) =>
      status.conditions?.some((one) => one.type === "Ready" && one.status === "True"),
    );
    if (ready.length === count && items.length === count) return (Date.now() - began) / 1000;
    await sleep(500);
  }
}

const scale = (replicas) => kubectl(["scale", "deployment", NAME, `--replicas=${replicas}`]);
const shown = (kinds) =>
  Object.entries(kinds)
    .map(([kind, { processes, mib }]) => `${kind} ${processes} × ${(mib / processes).toFixed(2)} = ${mib.toFixed(1)}`)
    .join("; ");

// The first pod brings the image.
kubectl(["create", "--filename", "-"], JSON.stringify(deployment));
await waitForPods(1, Date.now());
const before = { cpu: cpuSeconds(), memory: runtimeMemory() };
const began = Date.now();
scale(pods);
const secondsToReady = await waitForPods(pods, began);
const ready = { cpu: cpuSeconds(), memory: runtimeMemory() };
await sleep(SETTLE_MS);
const settled = cpuSeconds();
await sleep(idleSeconds * 1000);
const idle = { cpu: cpuSeconds(), memory: runtimeMemory() };
const ending = Date.now();
scale(0);
const secondsToGone = await waitForPods(0, ending);
const gone = { cpu: cpuSeconds(), memory: runtimeMemory() };

const total = (kinds) => Object.values(kinds).reduce((sum, { mib }) => sum + mib, 0);
const { nodeInfo } = JSON.parse(kubectl(["get", "nodes", "--output", "json"])).items[0].status;
console.log(`
| ${pods} pods, ${nodeInfo.containerRuntimeVersion} under kubelet ${nodeInfo.kubeletVersion} | |
|---|---|
| all Ready after, s | ${secondsToReady.toFixed(1)} |
| CPU of the runtime until then, s | ${(ready.cpu - before.cpu).toFixed(1)} |
| CPU of the runtime per minute once all run, s | ${(((idle.cpu - settled) * 60) / idleSeconds).toFixed(2)} |
| memory of the runtime then, MiB PSS | ${total(idle.memory).toFixed(0)} |
| of that | ${shown(idle.memory)} |
| with one pod before | ${shown(before.memory)} |
| all gone after, s | ${secondsToGone.toFixed(1)} |
| CPU of the runtime for that, s | ${(gone.cpu - idle.cpu).toFixed(1)} |
| memory after that, MiB PSS | ${total(gone.memory).toFixed(0)} |`);
