import fs from "node:fs";
import os from "node:os";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { NODE } from "../../hack/cluster/node.cjs";
import { freePort } from "../support/unique";
import { eventually } from "./support/eventually";
import { type KubernetesObject, objects } from "./support/kubernetes";
import { AGNHOST, BUSYBOX, idle, inspect, Namespace, shell, statusOf } from "./support/namespace";

let namespace: Namespace;
beforeAll(async () => {
  namespace = await Namespace.create("pods");
});
afterAll(() => namespace.remove());

const answer = async (url: string) => (await fetch(url, { headers: { connection: "close" } })).text();

test("containers that share the process namespace see each other's processes", async () => {
  await namespace.readyPod("shared", { shareProcessNamespace: true, containers: [idle({ name: "other" }), idle()] });
  const processes = await namespace.exec("shared", "ps");
  expect(processes.match(/trap exit TERM/g)).toHaveLength(2);
});

test("a debug container joins a running pod and sees the processes of the one it targets", async () => {
  await namespace.readyPod("debugged", { containers: [idle()] });
  await namespace.kubectl(
    "debug",
    "debugged",
    `--image=${BUSYBOX}`,
    "--container=debugger",
    "--target=main",
    "--profile=general",
    "--",
    "sh",
    "-c",
    "ps; ls /proc/1/root/etc/version",
  );
  await namespace.until("debugged", "has been looked into", (pod) =>
    Boolean(statusOf(pod, "debugger")?.state?.terminated),
  );
  const text = await namespace.log("debugged", "--container=debugger");
  expect(text).toMatch(/ 1 root .* sh -c trap exit TERM/);
  expect(text).toMatch(/\/proc\/1\/root\/etc\/version/);
  expect(statusOf(await namespace.read("debugged"))?.restartCount).toBe(0);
});

test("hostNetwork, hostPID and hostIPC are the node's namespaces", async () => {
  const text = await namespace.outputOf("host", {
    hostNetwork: true,
    hostPID: true,
    hostIPC: true,
    containers: [shell("cd /proc/self/ns; for kind in net pid ipc; do readlink $kind; done; hostname")],
  });
  const own = ["net", "pid", "ipc"].map((kind) => fs.readlinkSync(`/proc/self/ns/${kind}`));
  expect(text.trim().split("\n")).toEqual([...own, os.hostname()]);
  expect((await namespace.read("host")).status?.podIP).toBe(NODE.address);
});

test("a hostPort is open on the node's address and nowhere else", async () => {
  const hostPort = await freePort();
  await namespace.readyPod("host-port", {
    containers: [
      shell("exec httpd -f -p 8080 -h /etc", {
        ports: [{ containerPort: 8080, hostPort, hostIP: NODE.address }],
        readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
      }),
    ],
  });
  expect(await answer(`http://${NODE.address}:${hostPort}/version`)).toBe("1\n");
  await expect(answer(`http://127.0.0.1:${hostPort}/version`)).rejects.toThrow();
  await namespace.delete("host-port");
  await expect(answer(`http://${NODE.address}:${hostPort}/version`)).rejects.toThrow();
});

test("a pod finds a Service by its name, and the Service finds the pod", async () => {
  await namespace.readyPod("server", {
    labels: { app: "server" },
    containers: [
      shell("exec httpd -f -p 8080 -h /etc", { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } }),
    ],
  });
  await namespace.create({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "server" },
    spec: { selector: { app: "server" }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  // Not busybox: linked statically it cannot look names up.
  const service = `server.${namespace.name}.svc.${NODE.domain}:80`;
  const script = `until /agnhost connect --timeout=2s ${service}; do sleep 1; done; cat /etc/resolv.conf`;
  const main = shell(script, { image: AGNHOST, imagePullPolicy: "IfNotPresent" });
  const text = await namespace.outputOf("client", { activeDeadlineSeconds: 100, containers: [main] });
  expect(text).toMatch(`nameserver ${NODE.dnsService}`);
});

test("host name, aliases and DNS are what the pod says", async () => {
  const text = await namespace.outputOf("named", {
    hostname: "own-name",
    subdomain: "below",
    hostAliases: [{ ip: "203.0.113.7", hostnames: ["alias.test"] }],
    dnsPolicy: "None",
    dnsConfig: { nameservers: ["203.0.113.53"], searches: ["one.test"], options: [{ name: "ndots", value: "3" }] },
    containers: [shell("hostname; grep alias /etc/hosts; grep own-name /etc/hosts; cat /etc/resolv.conf")],
  });
  expect(text).toMatch(/^own-name$/m);
  expect(text).toMatch(/^203\.0\.113\.7\talias\.test$/m);
  expect(text).toMatch(new RegExp(`\\down-name\\.below\\.${namespace.name}\\.svc|\\town-name\\.below`));
  expect(text).toMatch(/^nameserver 203\.0\.113\.53$/m);
  expect(text).toMatch(/^options ndots:3$/m);
});

test("a RuntimeClass runs the pod by its handler, and one that the node lacks keeps it from running", async () => {
  for (const runtimeClassName of ["crun", "runc"]) {
    const pod = await namespace.readyPod(runtimeClassName, { runtimeClassName, containers: [idle()] });
    const { info } = await inspect((statusOf(pod)?.containerID ?? "").replace(/^.*:\/\//, ""));
    expect(info.runtimeHandler).toBe(runtimeClassName);
  }
  const kind = {
    apiVersion: "node.k8s.io/v1",
    kind: "RuntimeClass",
    metadata: { name: `absent-${namespace.name}` },
    handler: "absent",
  };
  await objects.create(kind as KubernetesObject);
  await namespace.pod("absent", { runtimeClassName: kind.metadata.name, containers: [idle()] });
  const events = await eventually(
    "the event",
    () => namespace.events("absent"),
    (all) => all.some((one) => one.startsWith("FailedCreatePodSandBox")),
  );
  expect(events.join("\n")).toMatch(/absent/);
  await namespace.kubectl("delete", "runtimeclass", kind.metadata.name);
});
