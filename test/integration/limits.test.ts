import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { ContainerState, NamespaceMode, PodSandboxState } from "../../api/messages";
import { Client } from "../../cri/client/client";
import { startDaemon, type TestDaemon, testDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { eventually, podCalls } from "../support/pods";
import { type TestRegistry, testRegistry } from "../support/registry";

jest.setTimeout(120_000);

/** The daemon where something runs short, and where much is asked of it at once. */
const project = path.join(__dirname, "../..");
let registry: TestRegistry;
let daemon: TestDaemon;
let client: Client;
let image = "";
const pods = podCalls(() => ({ client, daemon, image }));
const { runPod, runContainer, statusOf, podStatusOf, inside, processesOf, removePods } = pods;

/** A daemon that a shell has started after `words`. */
function startedBy(words: string, options = {}): TestDaemon {
  const made = testDaemon({ registry: registry.url, options });
  made.program = path.join(made.directory, "serve");
  fs.writeFileSync(made.program, `#!/bin/sh\n${words} ${path.join(project, "bin/berth")} "$@"\n`, { mode: 0o755 });
  return made;
}

async function use(made: TestDaemon): Promise<void> {
  daemon = made;
  if (!daemon.child) await daemon.start();
  client = new Client(daemon.socket);
  await client.image("PullImage", { image: { image } });
}

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
}, 60_000);

afterAll(() => registry?.stop());

describe("1,024 descriptors", () => {
  const clients: net.Socket[] = [];
  const open = () => fs.readdirSync(`/proc/${daemon.child!.pid}/fd`).length;

  beforeAll(() => use(startedBy("ulimit -n 1024; exec")), 60_000);
  afterEach(() => {
    for (const each of clients.splice(0)) each.destroy();
  });
  afterAll(async () => {
    client?.close();
    await daemon?.remove();
  }, 60_000);

  /** Opens connections until the daemon has no descriptor left. */
  async function exhaust(): Promise<void> {
    const more = (count: number) => {
      for (let i = 0; i < count; i++) clients.push(net.connect(daemon.socket).on("error", () => {}));
    };
    if (clients.length === 0) more(1100);
    // the calls under way let go of a few
    await eventually(
      () => {
        more(5);
        return open();
      },
      (count) => count >= 1023,
    );
    expect(open()).toBeGreaterThanOrEqual(1023);
  }

  test("are used up: calls fail and say why, nobody is taken for dead, and after it all is as before", async () => {
    const linux = { securityContext: { namespaceOptions: { pid: 0 } } };
    const pod = await runPod({ linux });
    const [living, dying, stopped] = [await runContainer(pod), await runContainer(pod), await runContainer(pod)];
    const { pid } = await processesOf(dying);
    const sandboxes = fs.readdirSync(path.join(daemon.state, "sandboxes"));
    const containers = fs.readdirSync(path.join(daemon.state, "containers"));
    const before = open();
    const config = pods.podConfig();
    for (const call of [
      () => client.runtime("RunPodSandbox", { config }),
      () => pods.createContainer(pod),
      () => client.runtime("ExecSync", { containerId: living, cmd: ["true"] }),
    ]) {
      // one that fails lets go of what it had
      await exhaust();
      await expect(call()).rejects.toMatchObject({
        code: "ResourceExhausted",
        message: expect.stringMatching(/EMFILE|too many open files/),
      });
    }
    await exhaust();
    // what needs no descriptor is answered
    expect((await client.runtime("ListContainers", {})).containers).toHaveLength(3);
    process.kill(pid, "SIGKILL");
    // longer than the daemon takes to look for those whose monitor has gone
    await sleep(4000);
    expect((await statusOf(living)).state).toBe(ContainerState.CONTAINER_RUNNING);
    expect((await statusOf(stopped)).state).toBe(ContainerState.CONTAINER_RUNNING);
    for (const each of clients.splice(0)) each.destroy();
    expect(await pods.exited(dying)).toMatchObject({ exitCode: 137, reason: "Error" });
    expect((await podStatusOf(pod)).state).toBe(PodSandboxState.SANDBOX_READY);
    expect(await inside(living, "echo here")).toBe("here");
    const names = (directory: string) => fs.readdirSync(path.join(daemon.state, directory)).sort();
    expect(
      await eventually(
        () => names("sandboxes"),
        (now) => now.length === 1,
      ),
    ).toEqual(sandboxes);
    expect(
      await eventually(
        () => names("containers"),
        (now) => now.length === 3,
      ),
    ).toEqual(containers.sort());
    expect(await eventually(open, (now) => now <= before + 2)).toBeLessThanOrEqual(before + 2);
    await client.runtime("RunPodSandbox", { config });
    await removePods();
    expect(daemon.allocatedAddresses()).toEqual([]);
  });

  test("are enough: 200 commands at once, a thousand lists a second, and others are answered meanwhile", async () => {
    const containerId = await runContainer(await runPod());
    const exec = async (index: number) => {
      const cmd = ["sh", "-c", `echo ${index}; exit ${index % 100}`];
      const { stdout, exitCode } = await client.runtime("ExecSync", { containerId, cmd });
      return [stdout.toString(), exitCode];
    };
    const execs = Promise.all(Array.from({ length: 200 }, (_, index) => exec(index)));
    let ended = false;
    const seen = execs.finally(() => {
      ended = true;
    });
    let answered = 0;
    while (!ended) {
      await client.runtime("Version", {}, { timeoutMs: 5000 });
      answered++;
    }
    expect(await seen).toEqual(Array.from({ length: 200 }, (_, index) => [`${index}\n`, index % 100]));
    expect(answered).toBeGreaterThan(0);
    for (let second = 0; second < 2; second++) {
      const lists = Array.from({ length: 500 }, () => [
        client.runtime("ListContainers", {}).then(({ containers }) => containers.length),
        client.runtime("ListPodSandbox", {}).then(({ items }) => items.length),
      ]);
      const [counts] = await Promise.all([Promise.all(lists.flat()), sleep(1000)]);
      expect(counts.every((count) => count === 1)).toBe(true);
      expect(await inside(containerId, "echo here")).toBe("here");
    }
    await removePods();
  });
});

describe("without CAP_SYS_RESOURCE", () => {
  const drop = "exec setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource";
  afterAll(async () => {
    client?.close();
    await daemon?.remove();
  }, 60_000);

  test("the daemon starts, a pod runs, and what it may not give is clamped or not asked for", async () => {
    await use(startedBy(drop));
    const held = BigInt(
      `0x${/^CapBnd:\s+(\w+)/m.exec(fs.readFileSync(`/proc/${daemon.child!.pid}/status`, "utf8"))![1]}`,
    );
    expect((held >> 24n) & 1n).toBe(0n);
    const pod = await runPod({ linux: { securityContext: { privileged: true } } });
    const linux = { resources: { oomScoreAdj: -998n }, securityContext: { privileged: true } };
    const container = await runContainer(pod, { linux });
    const own = Number(fs.readFileSync(`/proc/${daemon.child!.pid}/oom_score_adj`, "utf8"));
    expect(Number(await inside(container, "cat /proc/1/oom_score_adj"))).toBe(own);
    await client.runtime("StopContainer", { containerId: container, timeout: 0n });
    expect(await statusOf(container)).toMatchObject({ exitCode: 137 });
    await removePods();
  });
});

/** 500 in the full form. */
const many = Number(process.env["BERTH_TEST_PODS"] ?? 20);

/** The subnet of a test has a few more. */
const addresses = 250;
const hostNetwork = { linux: { securityContext: { namespaceOptions: { network: NamespaceMode.NODE } } } };

test("many pods at once, each with a container: all run, others are answered meanwhile, and all go", async () => {
  const made = await startDaemon({ registry: registry.url });
  try {
    await use(made);
    let ended = false;
    const all = Promise.all(
      Array.from({ length: many }, async (_, index) => {
        return runContainer(await runPod(index < addresses ? {} : hostNetwork));
      }),
    ).finally(() => {
      ended = true;
    });
    while (!ended) {
      await client.runtime("Status", {}, { timeoutMs: 20_000 });
      await sleep(50);
    }
    const ids = await all;
    const { containers } = await client.runtime("ListContainers", {});
    expect(containers.map(({ id }) => id).sort()).toEqual([...ids].sort());
    expect(containers.every(({ state }) => state === ContainerState.CONTAINER_RUNNING)).toBe(true);
    expect(new Set(made.allocatedAddresses()).size).toBe(Math.min(many, addresses));
    await made.kill();
    await made.start();
    expect((await client.runtime("ListContainers", {})).containers).toHaveLength(many);
    await removePods();
    expect(made.allocatedAddresses()).toEqual([]);
  } finally {
    client.close();
    await made.remove();
  }
}, 1_800_000);
