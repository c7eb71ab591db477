import fs from "node:fs";
import { afterAll, expect, test } from "@jest/globals";
import { FILES, NODE } from "../../hack/cluster/node.cjs";
import { restartService } from "../../hack/cluster/services.cjs";
import { eventually } from "./support/eventually";
import { output } from "./support/run";

/** The kubelet alone: no API server, only files. Run by hack/e2e.sh before there is a cluster. */
const file = `${FILES.manifests}/alone.json`;
afterAll(() => fs.rmSync(file, { force: true }));

const container = (name: string, script: string, more: Record<string, unknown> = {}) => ({
  name,
  image: "e2e/busybox:1",
  command: ["sh", "-c", script],
  ...more,
});
const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "alone", namespace: "default" },
  spec: {
    terminationGracePeriodSeconds: 2,
    volumes: [{ name: "shared", emptyDir: {} }],
    initContainers: [
      container("init", "echo made by init >/shared/index.html", {
        volumeMounts: [{ name: "shared", mountPath: "/shared" }],
      }),
    ],
    containers: [
      container("main", "exec httpd -f -p 8080 -h /shared", {
        volumeMounts: [{ name: "shared", mountPath: "/shared" }],
        readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
        livenessProbe: { exec: { command: ["true"] }, periodSeconds: 1 },
      }),
    ],
  },
};

interface CriPod {
  id: string;
  state: string;
}
const sandboxes = async () => {
  const { items } = JSON.parse(await output("crictl", "pods", "--output=json", `--name=alone-${NODE.name}`));
  return items as CriPod[];
};
const address = async () => {
  const [one] = await sandboxes();
  if (!one) throw new Error("there is no sandbox");
  return JSON.parse(await output("crictl", "inspectp", one.id)).status.network.ip as string;
};

test("a static pod runs, outlives the kubelet and Berth, and goes with its file", async () => {
  fs.writeFileSync(file, JSON.stringify(pod));
  const ask = async () => (await fetch(`http://${await address()}:8080/`)).text();
  await eventually("the pod answers", ask, (text) => text === "made by init\n");
  const [before] = await sandboxes();

  await restartService("kubelet", "SIGKILL");
  await restartService("berth", "SIGKILL");
  await eventually("the pod answers", ask, (text) => text === "made by init\n");
  await eventually("the kubelet is healthy", async () => (await fetch("http://127.0.0.1:10248/healthz")).ok);
  expect(await sandboxes()).toEqual([expect.objectContaining({ id: before?.id, state: "SANDBOX_READY" })]);

  fs.rmSync(file);
  await eventually("the pod is gone", sandboxes, (left) => left.length === 0);
});
