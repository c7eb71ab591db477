import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { ContainerState, NamespaceMode, PodSandboxState } from "../../api/messages";
import type { Client } from "../../cri/client/client";
import { type TestDaemon, testDaemon } from "../support/daemon";
import { eventually, podCalls } from "../support/pods";
import { testNode } from "../support/test-node";

jest.setTimeout(60_000);

/** What of pods and containers outlives the daemon: killed, told to end, replaced by another release. */
let daemon: TestDaemon;
let client: Client;
let image = "";
const pods = podCalls(() => ({ client, daemon, image }));
const { runPod, runContainer, createContainer, statusOf, podStatusOf, inside, processesOf, removePods } = pods;

const node = testNode();
beforeAll(() => {
  ({ daemon, client, image } = node);
});

afterEach(async () => {
  if (!daemon.child) await daemon.start();
  await removePods();
});

const exitFiles = () => fs.readdirSync(path.join(daemon.state, "exits"));
const nowNs = () => BigInt(Date.now()) * 1_000_000n;

describe("while the daemon is down", () => {
  test("containers end, are killed and run out of memory, and each has its true code, reason and time", async () => {
    const hostPath = path.join(daemon.directory, "go");
    fs.mkdirSync(hostPath);
    const mounts = [{ containerPath: "/go", hostPath, readonly: true }];
    const onceTold = (script: string) => ({
      command: ["sh", "-c", `while [ ! -e /go/now ]; do usleep 20000; done; ${script}`],
      mounts,
    });
    const linux = { resources: { memoryLimitInBytes: 20n << 20n } };
    // in a PID namespace of the pod's, a signal without a handler ends what it reaches
    const shared = await runPod({ linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.POD } } } });
    const pod = await runPod();
    const run = async () => ({
      ended: await runContainer(pod, onceTold("exit 42")),
      done: await runContainer(pod, onceTold("exit 0")),
      hungry: await runContainer(pod, { ...onceTold("exec tail /dev/zero"), linux }),
      parent: await runContainer(pod, { ...onceTold("tail /dev/zero; exit 3"), linux }),
      killed: await runContainer(pod),
      signalled: await runContainer(shared),
      alive: await runContainer(pod),
      created: await createContainer(pod),
      gone: await createContainer(pod),
    });
    const ids = await run();
    const { killed, signalled, gone } = ids;
    const pids = await Promise.all([killed, signalled, gone].map(async (id) => (await processesOf(id)).pid));
    await daemon.kill();
    const before = nowNs();
    fs.writeFileSync(path.join(hostPath, "now"), "");
    process.kill(pids[0]!, "SIGKILL");
    process.kill(pids[1]!, "SIGUSR1");
    process.kill(pids[2]!, "SIGKILL");
    expect(await eventually(exitFiles, (files) => files.length === 7)).toHaveLength(7);
    const after = nowNs() + 1_000_000n;
    await daemon.start();
    const outcome = async (id: string) => {
      const { state, exitCode, reason } = await statusOf(id);
      return [state, exitCode, reason];
    };
    const exited = ContainerState.CONTAINER_EXITED;
    const found = await Promise.all(Object.entries(ids).map(async ([name, id]) => [name, await outcome(id)] as const));
    expect(Object.fromEntries(found)).toEqual({
      ended: [exited, 42, "Error"],
      done: [exited, 0, "Completed"],
      hungry: [exited, 137, "OOMKilled"],
      parent: [exited, 3, "Error"],
      killed: [exited, 137, "Error"],
      signalled: [exited, 138, "Error"],
      alive: [ContainerState.CONTAINER_RUNNING, 0, ""],
      created: [ContainerState.CONTAINER_CREATED, 0, ""],
      gone: [exited, 137, "Error"],
    });
    const { alive, created, ...others } = ids;
    for (const id of Object.values(others)) {
      const { finishedAt } = await statusOf(id);
      // a file's time is that of the kernel's last tick
      expect(finishedAt).toBeGreaterThanOrEqual(before - 10_000_000n);
      expect(finishedAt).toBeLessThanOrEqual(after);
    }
    expect(await inside(alive, "echo here")).toBe("here");
    await client.runtime("StartContainer", { containerId: created });
    expect((await podStatusOf(shared)).state).toBe(PodSandboxState.SANDBOX_READY);
  });

  test("a container logs 10 MB a second, and no line is lost", async () => {
    const megabytes = Number(process.env["BERTH_TEST_LOG_MB"] ?? 30);
    const lines = megabytes * 10_000;
    const awk = `BEGIN { pad = sprintf("%90s", ""); gsub(/ /, "x", pad)
      for (i = 0; i < ${lines}; i++) {
        printf("%08d %s\\n", i, pad)
        if (i % 10000 == 9999) { fflush(); system("usleep 90000") }
      } }`;
    const containerId = await runContainer(await runPod(), { command: ["awk", awk] });
    const { logPath } = await statusOf(containerId);
    const grows = async () => {
      const { size } = fs.statSync(logPath);
      await eventually(
        () => fs.statSync(logPath).size,
        (now) => now > size + (5 << 20),
      );
    };
    await grows();
    await daemon.kill();
    await grows();
    await daemon.start();
    await pods.exited(containerId);
    while ((await statusOf(containerId)).state !== ContainerState.CONTAINER_EXITED) await grows();
    expect(await statusOf(containerId)).toMatchObject({ exitCode: 0, reason: "Completed" });
    let next = 0;
    let part = "";
    for (const line of fs.readFileSync(logPath, "utf8").split("\n")) {
      const [, tag = "", text = ""] = /^\S+ stdout ([FP]) (.*)$/.exec(line) ?? [];
      part += text;
      if (tag !== "F") continue;
      if (Number(part.slice(0, 8)) !== next || part.length !== 99) break;
      next++;
      part = "";
    }
    expect(next).toBe(lines);
  }, 600_000);
});

describe("SIGTERM", () => {
  test("in the middle of all of it: calls end within the limit, containers go on, and what failed can be had", async () => {
    const pod = await runPod();
    const container = await runContainer(pod);
    const deaf = await runContainer(pod, { command: ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"] });
    const { pid } = await processesOf(container);
    const configs = [0, 1, 2, 3].map(() => pods.podConfig());
    const made = [0, 1, 2, 3].map(() => pods.containerConfig());
    const exec = { containerId: container, cmd: ["sleep", "4711"] };
    const calls = [
      client.runtime("ExecSync", exec),
      client.runtime("StopContainer", { containerId: deaf, timeout: 600n }),
      ...configs.map((config) => client.runtime("RunPodSandbox", { config })),
      ...made.map((config) => client.runtime("CreateContainer", { podSandboxId: pod, config })),
    ];
    const settled = Promise.allSettled(calls);
    const runs = (name: string) => execsOf(pid).some((args) => args.includes(name));
    await eventually(() => runs("4711"), Boolean);
    const began = performance.now();
    // systemd would kill it then
    await daemon.stop(30_000);
    expect(performance.now() - began).toBeLessThan(30_000);
    const results = await settled;
    expect(results.slice(0, 2).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(fs.existsSync(`/proc/${pid}`)).toBe(true);
    // who has asked for it is gone, and nobody would ever end it
    expect(
      await eventually(
        () => runs("4711"),
        (there) => !there,
      ),
    ).toBe(false);
    await daemon.start();
    for (const [index, config] of configs.entries()) {
      const { podSandboxId } = await client.runtime("RunPodSandbox", { config });
      const first = results[2 + index]!;
      if (first.status === "fulfilled") expect(first.value).toMatchObject({ podSandboxId });
    }
    for (const config of made) await client.runtime("CreateContainer", { podSandboxId: pod, config });
    const { containers } = await client.runtime("ListContainers", {});
    expect(containers).toHaveLength(2 + made.length);
    expect(await inside(container, "echo here")).toBe("here");
    await removePods();
    expect(daemon.allocatedAddresses()).toEqual([]);
  });
});

/** The commands of what shares a process's PID namespace. */
function execsOf(pid: number): string[][] {
  const namespace = fs.readlinkSync(`/proc/${pid}/ns/pid`);
  return fs.readdirSync("/proc").flatMap((name) => {
    try {
      if (!/^\d+$/.test(name) || fs.readlinkSync(`/proc/${name}/ns/pid`) !== namespace) return [];
      return [fs.readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0")];
    } catch {
      return []; // gone meanwhile
    }
  });
}

describe("another release", () => {
  const format = (directory: string) => path.join(directory, "format.json");
  const read = (directory: string) => JSON.parse(fs.readFileSync(format(directory), "utf8"));
  const write = (directory: string, claim: object) => fs.writeFileSync(format(directory), JSON.stringify(claim));
  const filesOf = (directory: string) =>
    fs
      .readdirSync(directory, { recursive: true })
      .filter((name) => !/rootfs|shm/.test(String(name)))
      .sort();

  test("that is newer takes over pods that run, with their processes, addresses and logs", async () => {
    const pod = await runPod();
    const script = "i=0; while :; do echo $i; i=$((i + 1)); usleep 50000; done";
    const container = await runContainer(pod, { command: ["sh", "-c", script] });
    const created = await createContainer(pod);
    const [{ pid }, { network }, { logPath }] = [
      await processesOf(container),
      await podStatusOf(pod),
      await statusOf(container),
    ];
    await daemon.stop();
    for (const directory of [daemon.root, daemon.state]) {
      expect(read(directory)).toMatchObject({ format: 1 });
      write(directory, { ...read(directory), format: 0, berth: "0.0.1" });
    }
    await daemon.start();
    expect(await processesOf(container)).toMatchObject({ pid });
    expect((await podStatusOf(pod)).network).toEqual(network);
    expect(await inside(container, "echo here")).toBe("here");
    await client.runtime("StartContainer", { containerId: created });
    await client.runtime("StopContainer", { containerId: container, timeout: 0n });
    const numbers = fs
      .readFileSync(logPath, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => Number(line.split(" ").at(-1)));
    expect(numbers).toEqual(numbers.map((_, index) => index));
    expect(read(daemon.state)).toMatchObject({ format: 1 });
  });

  test("that is older refuses what a newer one has written, touches nothing, and pods go on", async () => {
    const container = await runContainer(await runPod());
    const { pid } = await processesOf(container);
    await daemon.stop();
    for (const directory of [daemon.state, daemon.root]) {
      const before = read(directory);
      write(directory, { ...before, format: 2, berth: "9.9.9" });
      const files = filesOf(daemon.state);
      await expect(daemon.start()).rejects.toThrow(
        `${directory} was written by a newer Berth (9.9.9, format 2); this is `,
      );
      expect(filesOf(daemon.state)).toEqual(files);
      expect(fs.existsSync(`/proc/${pid}`)).toBe(true);
      write(directory, before);
    }
    await daemon.start();
    expect(await processesOf(container)).toMatchObject({ pid });
    expect(await inside(container, "echo here")).toBe("here");
  });
});

describe("a second daemon", () => {
  test.each<[string, (own: TestDaemon) => [string, string][], RegExp]>([
    [
      "on the root of another",
      (own) => [[own.root, daemon.root]],
      /another berthd \(process \d+\) holds \S+\/root\/lock/,
    ],
    [
      "on the state of another",
      (own) => [[own.state, daemon.state]],
      /another berthd \(process \d+\) holds \S+\/state\/lock/,
    ],
    ["on the socket of another", (own) => [[own.socket, daemon.socket]], /another process listens on \S+berth\.sock/],
  ])("%s is refused, and the first one serves on", async (_, replaced, why) => {
    const second = testDaemon();
    try {
      let text = fs.readFileSync(second.configFile, "utf8");
      for (const [own, other] of replaced(second)) text = text.replaceAll(JSON.stringify(own), JSON.stringify(other));
      fs.writeFileSync(second.configFile, text);
      // it must not be taken for the first one's that answers
      second.socket = path.join(second.directory, "none");
      await expect(second.start()).rejects.toThrow(why);
      expect((await client.runtime("Version", {})).runtimeName).toBe("berth");
      await runPod();
    } finally {
      await second.remove();
    }
  });
});
