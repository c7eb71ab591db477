import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ContainerEventResponse, Init } from "../../api/messages";
import { EventHub } from "../../cri/events/event-hub";
import { Logger } from "../../cri/log";
import { GrpcServer } from "../../cri/server/grpc-server";
import { Interceptor } from "../../cri/server/interceptor";
import { Crictl } from "../support/crictl";
import { environment, startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";

/** GetContainerEvents, read by the real crictl. */
let registry: TestRegistry;
let daemon: TestDaemon;
let crictl: Crictl;
let image = "";
const watchers: ChildProcess[] = [];

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  daemon = await startDaemon({ registry: registry.url });
  crictl = new Crictl(daemon);
  await crictl.run("pull", image);
}, 60_000);

afterAll(async () => {
  for (const watcher of watchers) watcher.kill("SIGKILL");
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

interface Event {
  containerId: string;
  containerEventType: string;
  createdAt: string;
  podSandboxStatus: { id: string; state: string } | null;
  containersStatuses: { id: string; state: string; exitCode: number }[];
}

/** `crictl events`; what it has printed so far. */
async function watch(endpoint = daemon.endpoint) {
  const own = ["--config", path.join(daemon.directory, "crictl.yaml"), "--runtime-endpoint", endpoint];
  const child = spawn(path.join(__dirname, "../../build/tools/crictl"), [...own, "events"], { env: environment() });
  watchers.push(child);
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  let complaint = "";
  child.stderr.on("data", (chunk) => {
    complaint += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  // it says nothing once it listens
  await new Promise((resolve) => setTimeout(resolve, 500));
  const events = () =>
    text
      .split(/(?<=^\})\n/m)
      .filter((each) => each.trim() !== "")
      .map((each) => JSON.parse(each) as Event);
  return { events, ended, child, errors: () => complaint };
}

async function eventually<T>(look: () => T, isGood: (value: T) => boolean): Promise<T> {
  for (let i = 0; ; i++) {
    const value = look();
    if (isGood(value) || i >= 100) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const runPod = (name: string) =>
  crictl.run(
    "runp",
    crictl.file(`${name}.json`, {
      metadata: { name, namespace: "default", uid: `uid-${name}`, attempt: 0 },
      linux: {},
    }),
  );

async function runContainer(pod: string, name: string, command: string[]): Promise<string> {
  const config = crictl.file(`${name}.json`, { metadata: { name, attempt: 0 }, image: { image }, command, linux: {} });
  const sandbox = crictl.file("unused.json", { metadata: { name: "unused", namespace: "default", uid: "unused" } });
  const id = await crictl.run("create", "--no-pull", pod, config, sandbox);
  await crictl.run("start", id);
  return id;
}

const short = (type: string) => type.replace(/^CONTAINER_(.*)_EVENT$/, "$1");

test("every subscriber sees the life of a pod, in order, with the state of the pod", async () => {
  const [first, second] = [await watch(), await watch()];
  const pod = await runPod("lives");
  const container = await runContainer(pod, "c", ["sh", "-c", "sleep 0.3; exit 3"]);
  await eventually(first.events, (events) => events.length >= 5);
  await crictl.run("stopp", pod);
  await crictl.run("rmp", pod);
  for (const { events } of [first, second]) {
    const seen = await eventually(events, (each) => each.length >= 8);
    const subject = (id: string) => (id === pod ? "pod" : id === container ? "container" : id);
    expect(seen.map((event) => `${subject(event.containerId)} ${short(event.containerEventType)}`)).toEqual([
      "pod CREATED",
      "pod STARTED",
      "container CREATED",
      "container STARTED",
      "container STOPPED",
      "pod STOPPED",
      "container DELETED",
      "pod DELETED",
    ]);
    expect(seen.every(({ podSandboxStatus }) => podSandboxStatus?.id === pod)).toBe(true);
    const states = seen.map(({ containersStatuses }) => containersStatuses.map(({ state }) => state).join());
    const [none, created, running, exited] = ["", "CONTAINER_CREATED", "CONTAINER_RUNNING", "CONTAINER_EXITED"];
    expect(states).toEqual([none, none, created, running, exited, exited, none, none]);
    expect(seen[4]!.containersStatuses[0]!.exitCode).toBe(3);
    expect(seen[0]!.podSandboxStatus!.state).toBe("SANDBOX_READY");
    expect(seen[5]!.podSandboxStatus!.state).toBe("SANDBOX_NOTREADY");
    const times = seen.map(({ createdAt }) => BigInt(createdAt));
    expect(times).toEqual([...times].sort((a, b) => Number(a - b)));
  }
});

test("a container that ends at once is told to start before it is told to stop", async () => {
  const { events } = await watch();
  const pod = await runPod("short");
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push(await runContainer(pod, `s${i}`, ["true"]));
  const seen = await eventually(events, (each) => each.length >= 2 + 15);
  for (const id of ids) {
    const own = seen.filter(({ containerId }) => containerId === id);
    expect(own.map((event) => short(event.containerEventType))).toEqual(["CREATED", "STARTED", "STOPPED"]);
  }
  // newest first: of several attempts of a container, the kubelet takes the first for the latest
  expect(seen.at(-1)?.containersStatuses.map(({ id }) => id)).toEqual([...ids].reverse());
  await crictl.run("rmp", "-f", pod);
});

test("the events of many pods at once arrive, each pod's in order", async () => {
  const { events } = await watch();
  const names = ["m1", "m2", "m3", "m4", "m5", "m6"];
  const pods = await Promise.all(names.map(runPod));
  await Promise.all(pods.map((pod) => crictl.run("rmp", "-f", pod)));
  const seen = await eventually(events, (each) => each.length >= 4 * pods.length);
  for (const pod of pods) {
    const own = seen.filter(({ containerId }) => containerId === pod);
    expect(own.map((event) => short(event.containerEventType))).toEqual(["CREATED", "STARTED", "STOPPED", "DELETED"]);
  }
});

test("a subscriber that does not read is told that it lost its place; others are unhurt", async () => {
  const hub = new EventHub<Init<ContainerEventResponse>>(100);
  const socket = path.join(daemon.directory, "hub.sock");
  const quiet = { log: new Logger("error", "text") };
  const server = new GrpcServer(new Interceptor(quiet));
  server.addService("RuntimeService", {
    Version: async () => ({ version: "0.1.0", runtimeName: "t", runtimeVersion: "1", runtimeApiVersion: "v1" }),
    GetContainerEvents: (_request, { signal }) => hub.subscribe(signal),
  });
  await server.listen(socket, 0);
  const slow = await watch(`unix://${socket}`);
  const quick = await watch(`unix://${socket}`);
  slow.child.kill("SIGSTOP");
  const podSandboxStatus = { annotations: { much: "x".repeat(16 << 10) } };
  const sent = Array.from({ length: 500 }, (_, index) => `event-${index}`);
  for (const containerId of sent) {
    hub.publish({ containerId, podSandboxStatus });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const seen = await eventually(quick.events, (events) => events.length >= sent.length);
  expect(seen.map(({ containerId }) => containerId)).toEqual(sent);
  slow.child.kill("SIGCONT");
  expect(await slow.ended).toBe(1);
  expect(slow.errors()).toContain("more than 100 events behind");
  expect(slow.events().length).toBeLessThan(sent.length);
  hub.close();
  await server.close(100);
}, 20_000);

test("a daemon that ends lets its subscribers go at once", async () => {
  const { ended } = await watch();
  const began = performance.now();
  await daemon.stop();
  await ended;
  expect(performance.now() - began).toBeLessThan(5000);
  await daemon.start();
});
