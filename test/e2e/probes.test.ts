import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { V1Pod } from "./support/kubernetes";
import { AGNHOST, idle, isReady, Namespace, shell, statusOf } from "./support/namespace";

let namespace: Namespace;
beforeAll(async () => {
  namespace = await Namespace.create("probes");
});
afterAll(() => namespace.remove());

const fast = { periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 5 };
const restarted = (pod: V1Pod) => (statusOf(pod)?.restartCount ?? 0) >= 1;

test("an exec probe makes a pod ready, and unready again", async () => {
  const probe = { ...fast, exec: { command: ["cat", "/tmp/ready"] } };
  await namespace.pod("exec", { containers: [idle({ readinessProbe: probe })] });
  const events = async () => (await namespace.events("exec")).join("\n");
  await namespace.until("exec", "runs", (pod) => statusOf(pod)?.started === true);
  expect(isReady(await namespace.read("exec"))).toBe(false);
  await namespace.exec("exec", "touch", "/tmp/ready");
  await namespace.ready("exec");
  await namespace.exec("exec", "rm", "/tmp/ready");
  await namespace.until("exec", "is not Ready", (pod) => !isReady(pod));
  // what the command said reaches the user
  expect(await events()).toMatch(/Unhealthy: Readiness probe failed: cat: can't open '\/tmp\/ready'/);
});

test("an exec probe that hangs is killed at its timeout and counts as failed", async () => {
  const probe = { ...fast, timeoutSeconds: 1, exec: { command: ["sh", "-c", "sleep 100"] } };
  await namespace.pod("hang", { restartPolicy: "Always", containers: [idle({ livenessProbe: probe })] });
  await namespace.until("hang", "is restarted", restarted);
  expect((await namespace.events("hang")).join("\n")).toMatch(
    /Unhealthy: Liveness probe (failed|errored).*tim(ed out|eout)/,
  );
});

test("an HTTP probe that fails restarts the container", async () => {
  await namespace.pod("http", {
    restartPolicy: "Always",
    containers: [
      shell("mkdir /www; echo ok >/www/health; exec httpd -f -p 8080 -h /www", {
        livenessProbe: { ...fast, initialDelaySeconds: 1, httpGet: { path: "/health", port: 8080 } },
      }),
    ],
  });
  const before = await namespace.ready("http");
  await namespace.exec("http", "rm", "/www/health");
  const after = await namespace.until("http", "is restarted and healthy", (pod) => restarted(pod) && isReady(pod));
  expect(statusOf(after)?.containerID).not.toBe(statusOf(before)?.containerID);
  expect((await namespace.events("http")).join("\n")).toMatch(
    /Unhealthy: Liveness probe failed: HTTP probe failed with statuscode: 404/,
  );
});

test("a TCP probe finds the port open, and shut", async () => {
  const open = shell("httpd -p 8080 -h /etc; trap exit TERM; while :; do sleep 1 & wait $!; done", {
    readinessProbe: { ...fast, tcpSocket: { port: 8080 } },
  });
  await namespace.readyPod("tcp", { containers: [open] });
  await namespace.exec("tcp", "sh", "-c", "kill -9 $(pidof httpd)");
  await namespace.until("tcp", "is not Ready", (pod) => !isReady(pod));
});

test("a gRPC probe hears whether the server serves", async () => {
  const pod = await namespace.readyPod("grpc", {
    containers: [
      {
        name: "main",
        image: AGNHOST,
        imagePullPolicy: "IfNotPresent",
        args: ["grpc-health-checking", "--port=5000", "--http-port=8080"],
        readinessProbe: { ...fast, grpc: { port: 5000 } },
      },
    ],
  });
  await fetch(`http://${pod.status?.podIP}:8080/make-not-serving`, { method: "POST" });
  await namespace.until("grpc", "is not Ready", (one) => !isReady(one));
});

test("a startup probe holds the liveness probe back until the container has started", async () => {
  const missing = (file: string) => ({ exec: { command: ["test", "-e", file] } });
  await namespace.pod("startup", {
    restartPolicy: "Always",
    containers: [
      shell("sleep 4; touch /tmp/started; trap exit TERM; while :; do sleep 1 & wait $!; done", {
        startupProbe: { ...fast, failureThreshold: 120, ...missing("/tmp/started") },
        livenessProbe: { ...fast, ...missing("/tmp/started") },
      }),
    ],
  });
  const pod = await namespace.ready("startup");
  expect(statusOf(pod)?.restartCount).toBe(0);
});
