import fs from "node:fs";
import net from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import WebSocket from "ws";
import { Client } from "../../cri/client/client";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { podCalls } from "../support/pods";
import { type TestRegistry, testRegistry } from "../support/registry";

/** Clients of streams that do what no good client does: the session ends, and the container does not feel it. */
let registry: TestRegistry;
let daemon: TestDaemon;
let client: Client;
let image = "";
let pod = "";
let container = "";
let monitor = 0;
let before: { daemon: number; monitor: number };

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  daemon = await startDaemon({ registry: registry.url });
  client = new Client(daemon.socket);
  await client.image("PullImage", { image: { image } });
  pod = await runPod();
  const counts = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.05; done";
  container = await runContainer(pod, { command: ["sh", "-c", counts], stdin: true, logPath: "ticks.log" });
  monitor = (await processesOf(container)).monitorPid;
  // the monitor keeps one descriptor more once somebody has been attached
  (await connect(await attachUrl())).terminate();
  await inside(container, "true");
  await new Promise((resolve) => setTimeout(resolve, 500));
  before = { daemon: filesOf(daemon.child!.pid!), monitor: filesOf(monitor) };
}, 60_000);

const open = new Set<{ terminate?(): void; destroy?(): void }>();

afterEach(async () => {
  for (const each of open) each.terminate ? each.terminate() : each.destroy?.();
  open.clear();
  const ticks = await lastTick();
  expect(await within(20_000, lastTick, (tick) => tick > ticks)).toBeGreaterThan(ticks);
  // what the sessions had open is closed, and what they ran is gone
  expect(
    await within(
      30_000,
      () => filesOf(daemon.child!.pid!),
      (count) => count <= before.daemon,
    ),
  ).toBeLessThanOrEqual(before.daemon);
  expect(
    await within(
      5000,
      () => filesOf(monitor),
      (count) => count <= before.monitor,
    ),
  ).toBeLessThanOrEqual(before.monitor);
  expect(await within(5000, running, (count) => count === "0")).toBe("0");
}, 90_000);

afterAll(async () => {
  client?.close();
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

const { runPod, runContainer, statusOf, inside, processesOf } = podCalls(() => ({ client, daemon, image }));

async function within<T>(limitMs: number, look: () => Promise<T> | T, isGood: (value: T) => boolean): Promise<T> {
  for (const until = performance.now() + limitMs; ; ) {
    const value = await look();
    if (isGood(value) || performance.now() > until) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const filesOf = (pid: number) => fs.readdirSync(`/proc/${pid}/fd`).length;
const memory = () =>
  Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${daemon.child!.pid}/status`, "utf8"))![1]) * 1024;

/** How many of the tests' own commands there are in the container. */
const running = () => inside(container, "ps | grep -c '[3]21321' || true");

/** How far the container's log is. */
async function lastTick(): Promise<number> {
  const { logPath } = await statusOf(container);
  return Number(/tick (\d+)\n[^\n]*$/.exec(fs.readFileSync(logPath, "utf8"))?.[1] ?? 0);
}

const execUrl = async (cmd: string[], streams: { stdin?: boolean; tty?: boolean } = {}) =>
  (await client.runtime("Exec", { containerId: container, cmd, stdout: true, ...streams })).url;
const attachUrl = async () =>
  (await client.runtime("Attach", { containerId: container, stdin: true, stdout: true })).url;
const forwardUrl = async (port: number) =>
  (await client.runtime("PortForward", { podSandboxId: pod, port: [port] })).url;

/** A WebSocket to a stream. */
async function connect(url: string, protocol = "v5.channel.k8s.io"): Promise<WebSocket> {
  const socket = new WebSocket(url.replace("http:", "ws:"), protocol);
  open.add(socket);
  socket.on("error", () => {});
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return socket;
}

/** Sends over a channel until nobody takes more, and a bit; says how much was taken in. */
async function flood(socket: WebSocket, channel: number): Promise<void> {
  const chunk = Buffer.alloc(64 << 10, "x");
  chunk[0] = channel;
  for (let sent = 0; sent < 64 << 20; sent += chunk.length) {
    socket.send(chunk, () => {});
    if (socket.bufferedAmount > 8 << 20) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (socket.bufferedAmount > 8 << 20) return;
    }
  }
  throw new Error("all of it was taken in");
}

const mebibytes = (count: number) => count << 20;

describe("a client that never reads", () => {
  test("stops its own command, whose output is not kept for it", async () => {
    const start = memory();
    const sockets = await Promise.all(
      [false, true].flatMap((tty) =>
        Array.from({ length: 4 }, async () => {
          const url = await execUrl(["sh", "-c", "cat /dev/zero; echo 321321"], { tty });
          const socket = await connect(url);
          socket.pause();
          return socket;
        }),
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(memory() - start).toBeLessThan(mebibytes(64));
    expect(await inside(container, "echo unhurt")).toBe("unhurt");
    for (const socket of sockets) socket.terminate();
  });

  test("and is attached is dropped, while container and log go on", async () => {
    const printing = await runContainer(pod, {
      command: ["sh", "-c", `yes ${"0123456789".repeat(40)} | head -n 250000; echo over`],
    });
    const start = memory();
    const { url } = await client.runtime("Attach", { containerId: printing, stdout: true });
    const socket = await connect(url);
    socket.pause();
    const log = (await statusOf(printing)).logPath;
    const tail = () => fs.readFileSync(log).subarray(-100).toString();
    expect(await within(60_000, tail, (text) => text.includes("over"))).toContain("over");
    expect(memory() - start).toBeLessThan(mebibytes(64));
    await client.runtime("RemoveContainer", { containerId: printing });
  }, 90_000);
});

describe("a client that floods", () => {
  test("a command that reads nothing is stopped itself", async () => {
    const start = memory();
    const socket = await connect(await execUrl(["sleep", "321321"], { stdin: true }));
    await flood(socket, 0);
    expect(memory() - start).toBeLessThan(mebibytes(64));
    expect(await inside(container, "echo unhurt")).toBe("unhurt");
    socket.terminate();
    // it takes no input and so does not see its end: that is the container's affair
    await inside(container, "kill -9 $(ps | grep '[3]21321' | while read pid rest; do echo $pid; done)");
  });

  test("a container that reads nothing is stopped itself, and its log goes on", async () => {
    const command = ["sh", "-c", "while sleep 0.1; do echo still here; done"];
    const deaf = await runContainer(pod, { command, stdin: true });
    const { url } = await client.runtime("Attach", { containerId: deaf, stdin: true, stdout: true });
    const start = memory();
    const socket = await connect(url);
    await flood(socket, 0);
    expect(memory() - start).toBeLessThan(mebibytes(64));
    const { logPath } = await statusOf(deaf);
    const { size } = fs.statSync(logPath);
    expect(
      await within(
        5000,
        () => fs.statSync(logPath).size,
        (now) => now > size,
      ),
    ).toBeGreaterThan(size);
    socket.terminate();
    await client.runtime("RemoveContainer", { containerId: deaf });
  });

  test("a port where nobody reads is stopped itself", async () => {
    const silent = await runContainer(pod, { command: ["nc", "-l", "-p", "8099", "-e", "sleep", "1000"] });
    const start = memory();
    const socket = await within(5000, () => connectForward(8099), Boolean);
    await flood(socket!, 0);
    expect(memory() - start).toBeLessThan(mebibytes(64));
    socket!.terminate();
    await client.runtime("RemoveContainer", { containerId: silent });
  });
});

/** A forwarded port over channels, once somebody listens there. */
async function connectForward(port: number): Promise<WebSocket | undefined> {
  if (!(await inside(container, "netstat -ltn")).includes(`:${port} `)) return undefined;
  return connect(await forwardUrl(port), "v4.channel.k8s.io");
}

describe("a client that goes", () => {
  test("at once, in a loop, leaves nothing with the daemon or the monitor", async () => {
    for (let round = 0; round < 5; round++) {
      const sockets = await Promise.all([
        ...Array.from({ length: 8 }, async () => connect(await attachUrl())),
        ...Array.from({ length: 4 }, async () => connect(await execUrl(["cat"], { stdin: true }))),
        ...Array.from({ length: 4 }, async () => connect(await execUrl(["sleep", "321321"], { tty: true }))),
      ]);
      for (const socket of sockets) socket.terminate();
    }
  }, 60_000);

  test("only half, and reads nothing more, is let go with its command", async () => {
    const socket = await upgrade(await execUrl(["sh", "-c", "while sleep 0.1; do echo 321321; done"]));
    socket.pause();
    socket.end();
    expect(await within(30_000, running, (count) => count === "0")).toBe("0");
  }, 60_000);
});

/** A WebSocket's connection right after its handshake, with nothing that would speak for it. */
async function upgrade(url: string): Promise<net.Socket> {
  const { hostname, port, pathname } = new URL(url);
  const socket = net.connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  open.add(socket);
  socket.on("error", () => {});
  const headers = [
    `GET ${pathname} HTTP/1.1`,
    `Host: ${hostname}`,
    ...["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
    ...["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: v5.channel.k8s.io"],
  ];
  socket.write(`${headers.join("\r\n")}\r\n\r\n`);
  const answer = await new Promise<string>((resolve) => socket.once("data", (bytes) => resolve(String(bytes))));
  expect(answer).toMatch(/^HTTP\/1.1 101 /);
  return socket;
}

describe("a client that never comes", () => {
  test("for a thousand URLs keeps others from more of them for a minute at most, and costs little", async () => {
    const start = memory();
    const asked = await Promise.allSettled(Array.from({ length: 1100 }, () => execUrl(["true"])));
    const refused = asked.flatMap((each) => (each.status === "rejected" ? [each.reason.code] : []));
    expect(new Set(refused)).toEqual(new Set(["ResourceExhausted"]));
    expect(refused.length).toBeGreaterThanOrEqual(100);
    expect(memory() - start).toBeLessThan(mebibytes(64));
    // a URL that was given out is good all the same, and makes room for one
    const url = asked.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []))[0]!;
    const socket = await connect(url);
    await new Promise((resolve) => socket.once("close", resolve));
    await execUrl(["true"]);
  });
});
