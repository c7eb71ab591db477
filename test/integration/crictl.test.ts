import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Crictl } from "../support/crictl";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";
import { freePort } from "../support/unique";

/** A pod's whole life by the real crictl: what it shows, and that nothing is left. */
let registry: TestRegistry;
let daemon: TestDaemon;
let crictl: Crictl;
let image = "";

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  daemon = await startDaemon({ registry: registry.url });
  crictl = new Crictl(daemon);
  await crictl.run("pull", image);
}, 60_000);

afterAll(async () => {
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

let counter = 0;
interface PodOptions {
  linux?: object;
  port_mappings?: object[];
  hostname?: string;
  dns_config?: object;
}

async function runPod(options: PodOptions = {}): Promise<string> {
  const name = `pod-${++counter}`;
  return crictl.run("runp", podFile(name, options));
}

const podFile = (name: string, options: PodOptions) =>
  crictl.file(`${name}.json`, {
    metadata: { name, namespace: "default", uid: `uid-${name}`, attempt: 0 },
    log_directory: path.join(daemon.directory, "logs", name),
    labels: { test: name },
    linux: {},
    ...options,
  });

async function createContainer(pod: string, command: string[], options: object = {}): Promise<string> {
  const name = `c-${++counter}`;
  const config = crictl.file(`${name}.json`, {
    metadata: { name, attempt: 0 },
    image: { image },
    command,
    log_path: `${name}.log`,
    linux: {},
    ...options,
  });
  const sandbox = crictl.file("sandbox.json", { metadata: { name: "unused", namespace: "default", uid: "unused" } });
  return crictl.run("create", "--no-pull", pod, config, sandbox);
}

async function startedContainer(pod: string, command: string[], options: object = {}): Promise<string> {
  const id = await createContainer(pod, command, options);
  await crictl.run("start", id);
  return id;
}

const ipOf = async (pod: string) =>
  (await crictl.json<{ status: { network: { ip: string } } }>("inspectp", pod)).status.network.ip;

async function eventually<T>(look: () => Promise<T> | T, isGood: (value: T) => boolean): Promise<T> {
  for (let i = 0; ; i++) {
    const value = await look();
    if (isGood(value) || i >= 100) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("info tells both conditions and the configuration", async () => {
  const info = await crictl.json<{ status: { conditions: { type: string; status: boolean }[] }; config: unknown }>(
    "info",
  );
  expect(info.status.conditions.map(({ type, status }) => [type, status])).toEqual([
    ["RuntimeReady", true],
    ["NetworkReady", true],
  ]);
  expect(JSON.stringify(info)).toContain(daemon.state);
});

describe("images", () => {
  test("images, inspecti and imagefsinfo show what was pulled; rmi removes it", async () => {
    const other = await registry.push("test/other", busyboxImage({ Env: ["A=1"] }), "v1");
    await crictl.run("pull", other);
    const { images } = await crictl.json<{ images: { id: string; repoTags: string[]; size: string }[] }>("images");
    const found = images.find(({ repoTags }) => repoTags.includes(other))!;
    expect(Number(found.size)).toBeGreaterThan(1_000_000);
    const inspected = await crictl.json<{ status: { id: string; repoDigests: string[] } }>("inspecti", other);
    expect(inspected.status.id).toBe(found.id);
    expect(inspected.status.repoDigests[0]).toMatch(/\/test\/other@sha256:[0-9a-f]{64}$/);
    const usage = await crictl.json<{ status: { imageFilesystems: { usedBytes: { value: string } }[] } }>(
      "imagefsinfo",
    );
    expect(Number(usage.status.imageFilesystems[0]!.usedBytes.value)).toBeGreaterThan(1_000_000);
    await crictl.run("rmi", other);
    expect(await crictl.run("images")).not.toContain("test/other");
    // the layer that both have is still there
    const pod = await runPod();
    await startedContainer(pod, ["true"]);
    await crictl.run("rmp", "-f", pod);
  });
});

describe("a pod's life", () => {
  test("runp, create, start, ps, pods, inspect, exec, logs, update, stop, rm, stopp, rmp", async () => {
    const pod = await runPod({ hostname: "web-0" });
    const id = await startedContainer(pod, ["sh", "-c", "echo hello; echo oops >&2; exec sleep 1000"]);
    expect(await crictl.run("ps", "-q")).toContain(id);
    expect(await crictl.run("pods", "-q", "--state", "ready")).toContain(pod);

    const inspected = await crictl.json<{
      status: { state: string; logPath: string; imageRef: string };
      info: { pid: number };
    }>("inspect", id);
    expect(inspected.status.state).toBe("CONTAINER_RUNNING");
    expect(inspected.status.logPath).toMatch(/\/logs\/pod-\d+\/c-\d+\.log$/);
    expect(inspected.status.imageRef).toContain("@sha256:");
    expect(fs.existsSync(`/proc/${inspected.info.pid}`)).toBe(true);
    expect(await ipOf(pod)).toMatch(new RegExp(`^${daemon.subnet.replaceAll(".", "\\.")}\\.\\d+$`));

    expect(await crictl.run("exec", "-s", id, "hostname")).toBe("web-0");
    const failed = await crictl.try("exec", "-s", id, "sh", "-c", "exit 7");
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("exited with 7");
    const logs = await eventually(
      () => crictl.try("logs", id),
      ({ stdout, stderr }) => stdout !== "" && stderr !== "",
    );
    expect([logs.stdout, logs.stderr]).toEqual(["hello\n", "oops\n"]);

    await crictl.run("update", "--memory", String(64 << 20), "--cpu-share", "512", id);
    const limits = await crictl.json<{ status: { resources: { linux: Record<string, string> } } }>("inspect", id);
    expect(limits.status.resources.linux).toMatchObject({ memoryLimitInBytes: String(64 << 20), cpuShares: "512" });

    await crictl.run("stop", "--timeout", "1", id);
    const ended = await crictl.json<{
      status: { state: string; exitCode: number; reason: string; finishedAt: string };
    }>("inspect", id);
    expect(ended.status).toMatchObject({ state: "CONTAINER_EXITED", exitCode: 137, reason: "Error" });
    await crictl.run("rm", id);
    await crictl.run("stopp", pod);
    expect(await crictl.run("pods", "-q", "--state", "notready")).toContain(pod);
    expect(daemon.allocatedAddresses()).toEqual([]);
    await crictl.run("rmp", pod);
    expect(await crictl.run("pods", "-q")).toBe("");
    expect(fs.readdirSync(path.join(daemon.state, "sandboxes"))).toEqual([]);
    expect(fs.readdirSync(path.join(daemon.state, "containers"))).toEqual([]);
  });

  test("exit code and reason of a container that ends by itself; starting it again is an error", async () => {
    const pod = await runPod();
    const good = await startedContainer(pod, ["true"]);
    const bad = await startedContainer(pod, ["sh", "-c", "exit 3"]);
    const status = async (id: string) =>
      (await crictl.json<{ status: { state: string; exitCode: number; reason: string } }>("inspect", id)).status;
    const over = (id: string) =>
      eventually(
        () => status(id),
        ({ state }) => state === "CONTAINER_EXITED",
      );
    expect(await over(good)).toMatchObject({ exitCode: 0, reason: "Completed" });
    expect(await over(bad)).toMatchObject({ exitCode: 3, reason: "Error" });
    expect((await crictl.try("start", bad)).stderr).toContain("started only once");
    await crictl.run("rmp", "-f", pod);
  });

  test("a container over its memory limit is OOMKilled", async () => {
    const pod = await runPod();
    const id = await startedContainer(pod, ["sh", "-c", "tail /dev/zero"], {
      linux: { resources: { memory_limit_in_bytes: 20 << 20 } },
    });
    const status = await eventually(
      async () =>
        (await crictl.json<{ status: { state: string; exitCode: number; reason: string } }>("inspect", id)).status,
      ({ state }) => state === "CONTAINER_EXITED",
    );
    expect(status).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
    await crictl.run("rmp", "-f", pod);
  });

  test("rmp -f removes a pod whose containers run, and all its processes", async () => {
    const pod = await runPod({ linux: { security_context: { namespace_options: { pid: 0 } } } });
    const id = await startedContainer(pod, ["sh", "-c", "sleep 1000 & sleep 1000 & wait"]);
    const { info } = await crictl.json<{ info: { pid: number } }>("inspect", id);
    await crictl.run("rmp", "-f", pod);
    expect(fs.existsSync(`/proc/${info.pid}`)).toBe(false);
    expect(await crictl.run("ps", "-a", "-q")).toBe("");
  });

  test("the same runp again gives the same pod", async () => {
    const first = await runPod();
    const again = await crictl.run("runp", podFile(`pod-${counter}`, {}));
    expect(again).toBe(first);
    await crictl.run("rmp", "-f", first);
  });
});

describe("namespaces", () => {
  test("a shared PID namespace has a process 1 that holds it, and shows the containers to each other", async () => {
    const pod = await runPod({ linux: { security_context: { namespace_options: { pid: 0 } } } });
    const shared = { linux: { security_context: { namespace_options: { pid: 0 } } } };
    await startedContainer(pod, ["sleep", "4321"], shared);
    const other = await startedContainer(pod, ["sleep", "1000"], shared);
    const processes = await crictl.run("exec", "-s", other, "ps");
    expect(processes).toMatch(/^\s*1 .*pause/m);
    expect(processes).toContain("sleep 4321");
    await crictl.run("rmp", "-f", pod);
  });

  test("hostNetwork pods have no address of their own and see the host's interfaces", async () => {
    const options = { linux: { security_context: { namespace_options: { network: 2 } } } };
    const pod = await runPod(options);
    expect(await ipOf(pod)).toBe("");
    const id = await startedContainer(pod, ["sleep", "1000"], options);
    expect(await crictl.run("exec", "-s", id, "ls", "/sys/class/net")).toContain(daemon.bridge);
    await crictl.run("rmp", "-f", pod);
  });

  test("hosts, resolv.conf, /dev/shm and sysctls are the pod's", async () => {
    const pod = await runPod({
      dns_config: { servers: ["10.9.8.7"], searches: ["svc.local"], options: ["ndots:3"] },
      linux: { sysctls: { "net.ipv4.ip_unprivileged_port_start": "0" } },
    });
    const id = await startedContainer(pod, ["sleep", "1000"]);
    const sh = (script: string) => crictl.run("exec", "-s", id, "sh", "-c", script);
    expect(await sh("cat /etc/resolv.conf")).toBe("search svc.local\nnameserver 10.9.8.7\noptions ndots:3");
    expect(await sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start")).toBe("0");
    expect(await sh("df -k /dev/shm | tail -1")).toMatch(/\s65536\s/);
    await crictl.run("rmp", "-f", pod);
  });
});

describe("network", () => {
  test("two pods reach each other by address, a hostPort answers, and no address stays allocated", async () => {
    const hostPort = await freePort();
    const server = await runPod({ port_mappings: [{ protocol: 0, container_port: 8080, host_port: hostPort }] });
    const client = await runPod();
    const serving = "mkdir -p /www && echo served > /www/index.html && exec httpd -f -p 8080 -h /www";
    await startedContainer(server, ["sh", "-c", serving]);
    const from = await startedContainer(client, ["sleep", "1000"]);
    const url = `http://${await ipOf(server)}:8080/`;
    const answer = await eventually(
      () => crictl.try("exec", "-s", from, "wget", "-q", "-O", "-", url),
      ({ status }) => status === 0,
    );
    expect(answer.stdout.trim()).toBe("served");
    expect(await get("127.0.0.1", hostPort)).toContain("served");
    expect(daemon.allocatedAddresses()).toHaveLength(2);
    await Promise.all([crictl.run("rmp", "-f", server), crictl.run("rmp", "-f", client)]);
    expect(daemon.allocatedAddresses()).toEqual([]);
  });
});

/** What an HTTP server answers, as it comes. */
function get(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = net.connect(port, host, () => socket.end("GET / HTTP/1.0\r\n\r\n"));
    socket.setTimeout(5000, () => socket.destroy(new Error("no answer")));
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
  });
}

describe("a restart of the daemon", () => {
  test("kill -9: what runs goes on, what ended has its true exit code, and all can be removed", async () => {
    const pod = await runPod({ linux: { security_context: { namespace_options: { pid: 0 } } } });
    const running = await startedContainer(pod, ["sh", "-c", "echo before; sleep 2; echo after; sleep 1000"]);
    const ending = await startedContainer(pod, ["sh", "-c", "sleep 1; exit 42"]);
    const created = await createContainer(pod, ["true"]);
    const ip = await ipOf(pod);
    await daemon.kill();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await daemon.start();
    const status = async (id: string) =>
      (await crictl.json<{ status: { state: string; exitCode: number; reason: string } }>("inspect", id)).status;
    expect(await status(running)).toMatchObject({ state: "CONTAINER_RUNNING" });
    expect(await status(ending)).toMatchObject({ state: "CONTAINER_EXITED", exitCode: 42, reason: "Error" });
    expect(await status(created)).toMatchObject({ state: "CONTAINER_CREATED" });
    expect(await ipOf(pod)).toBe(ip);
    const logs = await eventually(
      () => crictl.run("logs", running),
      (text) => text.includes("after"),
    );
    expect(logs).toBe("before\nafter");
    expect(await crictl.run("exec", "-s", running, "echo", "alive")).toBe("alive");
    await crictl.run("start", created);
    await crictl.run("rmp", "-f", pod);
    expect(daemon.allocatedAddresses()).toEqual([]);
  }, 30_000);
});

test("a signal that comes before the program has a handler for it reaches it once it has", async () => {
  const pod = await runPod();
  const id = await startedContainer(pod, [
    "sh",
    "-c",
    "usleep 400000; trap 'exit 7' TERM; while :; do usleep 10000; done",
  ]);
  const began = Date.now();
  await crictl.run("stop", "--timeout", "20", id);
  expect(Date.now() - began).toBeLessThan(5000);
  const { status } = await crictl.json<{ status: { exitCode: number } }>("inspect", id);
  expect(status.exitCode).toBe(7);
  await crictl.run("rmp", "-f", pod);
});
