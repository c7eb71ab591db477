import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { ContainerState } from "../../api/messages";
import { Client } from "../../cri/client/client";
import { Crictl } from "../support/crictl";
import { environment, startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { eventually, podCalls } from "../support/pods";
import { type TestRegistry, testRegistry } from "../support/registry";
import { temporaryDirectory } from "../support/unique";

/** What becomes of containers whose monitor dies, and of those whose processes misbehave; none of it reaches others. */
const CRICTL = path.join(__dirname, "../../build/tools/crictl");
const pidsLimit = 40;

let registry: TestRegistry;
let daemon: TestDaemon;
let client: Client;
let image = "";
let directory = "";
/** Runs all the time; what happens to others must not reach it. */
let bystander = "";

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  directory = temporaryDirectory();
  daemon = await startDaemon({ registry: registry.url, options: { runtime: { pids_limit: pidsLimit } } });
  client = new Client(daemon.socket);
  await client.image("PullImage", { image: { image } });
}, 60_000);

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await removePods();
});

afterAll(async () => {
  client?.close();
  await daemon?.remove();
  await registry?.stop();
  if (directory) fs.rmSync(directory, { recursive: true });
}, 60_000);

const { runPod, createContainer, runContainer, statusOf, stop, inside, exited, processesOf, removePods } = podCalls(
  () => ({ client, daemon, image }),
);

/** A shell script as a container of a pod of its own. */
const runScript = async (script: string, over = {}) =>
  runContainer(await runPod(), { command: ["sh", "-c", script], ...over });

/** The daemon answers, and what has nothing to do with it runs and can be used. */
async function expectOthersUnhurt(): Promise<void> {
  expect(await inside(bystander, "echo unhurt")).toBe("unhurt");
  expect((await client.runtime("Status", {})).status!.conditions.every(({ status }) => status)).toBe(true);
  const another = await runScript("exec sleep 1000");
  await stop(another, 0);
  expect((await statusOf(another)).exitCode).toBe(137);
}

async function withBystander(work: () => Promise<void>): Promise<void> {
  bystander = await runScript("exec sleep 1000");
  await work();
  await expectOthersUnhurt();
}

describe("a container whose monitor was killed", () => {
  const killMonitor = async (id: string) => process.kill((await processesOf(id)).monitorPid, "SIGKILL");

  test("runs for all that is asked, over a restart too, and is stopped within its grace", async () => {
    const script = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
    const [polite, stubborn] = [await runScript(script), await runScript("trap '' TERM; while :; do sleep 0.1; done")];
    for (const id of [polite, stubborn]) await killMonitor(id);
    await daemon.kill();
    await daemon.start();
    for (const id of [polite, stubborn]) {
      expect((await statusOf(id)).state).toBe(ContainerState.CONTAINER_RUNNING);
      expect(await inside(id, "echo alive")).toBe("alive");
    }
    await stop(polite, 60);
    await stop(stubborn, 1);
    // nobody was there to see the codes
    for (const id of [polite, stubborn])
      expect(await statusOf(id)).toMatchObject({
        state: ContainerState.CONTAINER_EXITED,
        exitCode: 255,
        reason: "Unknown",
      });
  });

  test("and which was not started yet is started and stopped", async () => {
    const containerId = await createContainer(await runPod());
    await killMonitor(containerId);
    await client.runtime("StartContainer", { containerId });
    expect(await inside(containerId, "echo alive")).toBe("alive");
    await stop(containerId, 0);
    expect(await statusOf(containerId)).toMatchObject({ state: ContainerState.CONTAINER_EXITED, reason: "Unknown" });
  });
});

describe("process 1 of a container", () => {
  test("that is killed from outside is seen to end with 137, not for its memory", async () => {
    const id = await runScript("sleep 1000 & exec sleep 1000");
    process.kill((await processesOf(id)).pid, "SIGKILL");
    expect(await exited(id)).toMatchObject({ exitCode: 137, reason: "Error" });
  });

  test("that ignores the signal has its grace, and is killed after it", async () => {
    const id = await runScript("trap '' TERM; while :; do sleep 0.1; done");
    const stopping = stop(id, 1);
    expect((await statusOf(id)).state).toBe(ContainerState.CONTAINER_RUNNING);
    await stopping;
    expect(await statusOf(id)).toMatchObject({ exitCode: 137, reason: "Error" });
  });

  test("that the kernel does not let die: the stop fails in time, holds up nobody, and succeeds once it can", async () => {
    const frozen = frozenFilesystem();
    try {
      await withBystander(async () => {
        const mounts = [{ containerPath: "/data", hostPath: frozen.directory }];
        const id = await runScript("while :; do echo x >/data/file; sleep 0.01; done", { mounts });
        await eventually(() => fs.existsSync(path.join(frozen.directory, "file")), Boolean);
        const { pid } = await processesOf(id);
        frozen.freeze();
        const state = () => /^State:\s+(\w)/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))![1];
        expect(await eventually(state, (letter) => letter === "D")).toBe("D");
        let isOver = false;
        const stopping = stop(id, 0)
          .catch((error) => error)
          .finally(() => {
            isOver = true;
          });
        await expectOthersUnhurt();
        expect((await statusOf(id)).state).toBe(ContainerState.CONTAINER_RUNNING);
        expect((await client.runtime("ListContainers", {})).containers.map((each) => each.id)).toContain(id);
        expect(isOver).toBe(false);
        expect(await stopping).toMatchObject({
          code: "DeadlineExceeded",
          message: expect.stringContaining(`process ${pid} outlives SIGKILL`),
        });
        frozen.thaw();
        await stop(id, 0);
        expect(await statusOf(id)).toMatchObject({ state: ContainerState.CONTAINER_EXITED, exitCode: 137 });
      });
    } finally {
      frozen.thaw();
      await removePods();
      frozen.remove();
    }
  });
});

/** A filesystem in a file, on which writers can be made to wait where no signal reaches them. */
function frozenFilesystem() {
  const target = fs.mkdtempSync(path.join(directory, "frozen-"));
  const file = `${target}.ext4`;
  fs.writeFileSync(file, "");
  fs.truncateSync(file, 8 << 20);
  execFileSync("mkfs.ext4", ["-q", file]);
  execFileSync("mount", ["-o", "loop", file, target]);
  let isFrozen = false;
  // should this process be killed, nothing else would thaw it
  let guard: ChildProcess | undefined;
  return {
    directory: target,
    freeze() {
      guard = spawn("sh", ["-c", `sleep 60; fsfreeze --unfreeze ${target}`], { detached: true, stdio: "ignore" });
      execFileSync("fsfreeze", ["--freeze", target]);
      isFrozen = true;
    },
    thaw() {
      if (!isFrozen) return;
      execFileSync("fsfreeze", ["--unfreeze", target]);
      isFrozen = false;
      if (guard) process.kill(-guard.pid!, "SIGKILL");
    },
    remove() {
      execFileSync("umount", [target]);
      fs.rmSync(file);
    },
  };
}

describe("a container that takes all it can get", () => {
  test("a fork bomb ends at the limit of processes, hurts no other, and goes with its container", async () => {
    await withBystander(async () => {
      const id = await runScript("bomb() { bomb | bomb & }; bomb; while :; do sleep 1; done");
      const { cgroups } = (await processesOf(id)) as unknown as { cgroups: Record<string, string> };
      const [group] = fs.globSync(
        ["pids", "."].map((controller) => `/sys/fs/cgroup/${controller}${cgroups["pids"] ?? cgroups[""]}`),
      );
      const count = () => Number(fs.readFileSync(path.join(group!, "pids.current"), "utf8"));
      const refused = () => Number(/^max (\d+)/m.exec(fs.readFileSync(path.join(group!, "pids.events"), "utf8"))![1]);
      expect(await eventually(refused, (number) => number > 0)).toBeGreaterThan(0);
      expect(count()).toBeLessThanOrEqual(pidsLimit);
      await expectOthersUnhurt();
      await stop(id, 0);
      expect(await statusOf(id)).toMatchObject({ exitCode: 137, reason: "Error" });
      expect(fs.existsSync(group!)).toBe(false);
    });
  });

  const small = { linux: { resources: { memoryLimitInBytes: 20n << 20n } } };

  test("a memory hog is OOMKilled, and hurts no other", async () => {
    await withBystander(async () => {
      expect(await exited(await runScript("exec tail /dev/zero", small))).toMatchObject({
        exitCode: 137,
        reason: "OOMKilled",
      });
    });
  });

  test("one whose child was a memory hog is not OOMKilled, whatever its own end is", async () => {
    const id = await runScript("tail /dev/zero; echo child $?; sleep 1000", small);
    const log = () => fs.readFileSync(fs.globSync(`${daemon.directory}/logs/*/*.log`).at(-1)!, "utf8");
    const { logPath } = await statusOf(id);
    const text = () => (fs.existsSync(logPath) ? fs.readFileSync(logPath, "utf8") : log());
    expect(await eventually(text, (said) => said.includes("child 137"))).toContain("child 137");
    expect((await statusOf(id)).state).toBe(ContainerState.CONTAINER_RUNNING);
    process.kill((await processesOf(id)).pid, "SIGTERM");
    const other = await runScript("tail /dev/zero; exit 7", small);
    expect(await exited(other)).toMatchObject({ exitCode: 7, reason: "Error" });
  });

  test("whatever it writes to and never reads from, all that is blocked is itself", async () => {
    await withBystander(async () => {
      // its own input is a pipe that its monitor fills, its outputs are pipes that the monitor empties
      const flood = "for fd in 0 1 2; do head -c 3000000 /dev/zero >/proc/1/fd/$fd & done 2>/dev/null; exec sleep 1000";
      const id = await runScript(flood, { stdin: true });
      const crictl = new Crictl(daemon);
      await crictl.run("version");
      const args = ["--config", path.join(daemon.directory, "crictl.yaml"), "--runtime-endpoint", daemon.endpoint];
      const attach = spawn(CRICTL, [...args, "attach", "-i", id], {
        env: environment(),
        stdio: ["pipe", "ignore", "ignore"],
      });
      children.push(attach);
      attach.stdin.on("error", () => {});
      let sent = 0;
      const chunk = Buffer.alloc(1 << 16);
      const pump = () => {
        while (attach.stdin.write(chunk)) sent += chunk.length;
        attach.stdin.once("drain", pump);
      };
      pump();
      // what pipes and sockets hold: from there on nothing moves any more
      let before = -1;
      await eventually(
        async () => {
          const isStill = sent === before && sent > 0;
          before = sent;
          await new Promise((resolve) => setTimeout(resolve, 200));
          return isStill;
        },
        (isStill) => isStill,
      );
      expect(sent).toBeLessThan(64 << 20);
      await expectOthersUnhurt();
      await client.runtime("ReopenContainerLog", { containerId: id });
      expect(await inside(id, "echo alive")).toBe("alive");
      await stop(id, 0);
      expect(await statusOf(id)).toMatchObject({ state: ContainerState.CONTAINER_EXITED, exitCode: 137 });
    });
  });
});
