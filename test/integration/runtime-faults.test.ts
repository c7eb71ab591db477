import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { ContainerState, NamespaceMode, PodSandboxState } from "../../api/messages";
import { Client } from "../../cri/client/client";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage, makeLayer } from "../support/images";
import { eventually, podCalls } from "../support/pods";
import { type TestRegistry, testRegistry } from "../support/registry";
import { temporaryDirectory, uniqueId } from "../support/unique";

/** What becomes of containers where the OCI runtime misbehaves: its own words reach the client, and nothing is left. */
let registry: TestRegistry;
let daemon: TestDaemon;
let client: Client;
let image = "";
let directory = "";
const cgroupParent = `/berth-${uniqueId()}`;

const at = (name: string) => path.join(directory, name);

/** A runtime that writes down how it is called, and runs the shell script of the command's name first, if there is one. */
const moody = (folder: string) => `#!/bin/sh
for word in "$@"; do
  case $word in create|start|run|exec|update|delete) command=$word; break ;; esac
done
echo "$*" >>${folder}/calls
[ ! -e ${folder}/$command ] || . ${folder}/$command
exec runc "$@"
`;

const commands = ["create", "start", "run", "exec", "update", "delete"] as const;
const misbehave = (command: (typeof commands)[number], script: string) => fs.writeFileSync(at(command), script);
const behave = () => {
  for (const command of commands) fs.rmSync(at(command), { force: true });
};
const fails = 'echo "the disk has fallen off" >&2; exit 1';
const hangs = "sleep 4567";

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  directory = temporaryDirectory();
  fs.writeFileSync(at("moody-runc"), moody(directory), { mode: 0o755 });
  const runtime = { operation_timeout_s: 2, handlers: { moody: { path: at("moody-runc") } } };
  daemon = await startDaemon({ registry: registry.url, options: { runtime } });
  client = new Client(daemon.socket);
  await client.image("PullImage", { image: { image } });
}, 60_000);

afterEach(async () => {
  behave();
  await removePods();
  fs.rmSync(at("calls"), { force: true });
  expect(leftOver()).toEqual([]);
});

afterAll(async () => {
  client?.close();
  await daemon?.remove();
  await registry?.stop();
  if (directory) fs.rmSync(directory, { recursive: true });
}, 60_000);

const { podConfig, containerConfig, createContainer, runContainer, statusOf, stop, inside, removePods, ...calls } =
  podCalls(() => ({ client, daemon, image }));
const runPod = (over = {}) => calls.runPod({ linux: { cgroupParent }, ...over }, "moody");

/** Files, mounts, cgroups and processes of containers. */
function leftOver(): string[] {
  const files = ["containers", "exits", "runtimes/moody"].flatMap((name) => fs.globSync(`${daemon.state}/${name}/*`));
  const layers = fs.globSync(`${daemon.root}/{snapshots,volumes}/*`);
  const mounts = fs.readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const cgroups = fs.globSync([`/sys/fs/cgroup/*${cgroupParent}/*/`, `/sys/fs/cgroup${cgroupParent}/*/`]);
  const processes = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }).split("\n");
  return [
    ...files,
    ...layers,
    ...cgroups,
    ...mounts.filter((line) => line.includes(`${daemon.state}/containers/`)),
    ...processes.filter((args) => args.includes(`${daemon.state}/containers/`) || args === "sleep 4567"),
  ];
}

const removeContainer = (containerId: string) => client.runtime("RemoveContainer", { containerId });
const containers = async () => (await client.runtime("ListContainers", {})).containers.map(({ id }) => id);

describe("create", () => {
  test.each([
    ["fails", fails, { message: expect.stringContaining("create failed: the disk has fallen off") }],
    ["fails without a word", "exit 1", { message: expect.stringContaining("ended before the container was made") }],
    ["dies", "kill -SEGV $$", { message: expect.stringContaining("ended before the container was made") }],
    ["hangs", hangs, { code: "DeadlineExceeded", message: expect.stringContaining("within 2 s") }],
    [
      "fails with escapes",
      "printf '\\033[2J\\033]0;owned\\007\\n' >&2; exit 1",
      { message: expect.not.stringMatching(/[\u0000-\u001f]/) },
    ],
  ])("%s: the reason is told, nothing is left, and a retry makes it", async (_, script, failure) => {
    const podSandboxId = await runPod();
    const config = containerConfig();
    misbehave("create", script);
    await expect(client.runtime("CreateContainer", { podSandboxId, config })).rejects.toMatchObject(failure);
    expect([await containers(), leftOver()]).toEqual([[], []]);
    behave();
    const { containerId } = await client.runtime("CreateContainer", { podSandboxId, config });
    await client.runtime("StartContainer", { containerId });
    expect(await inside(containerId, "echo well")).toBe("well");
  });

  test("of a runtime that is gone: it is named, nothing is left, and a retry makes it once it is back", async () => {
    const podSandboxId = await runPod();
    const config = containerConfig();
    fs.renameSync(at("moody-runc"), at("away"));
    try {
      const refused = client.runtime("CreateContainer", { podSandboxId, config });
      await expect(refused).rejects.toThrow(at("moody-runc"));
      expect([await containers(), leftOver()]).toEqual([[], []]);
    } finally {
      fs.renameSync(at("away"), at("moody-runc"));
    }
    await client.runtime("CreateContainer", { podSandboxId, config });
  });

  test("hangs: what other pods want is done meanwhile", async () => {
    const [slow, other] = [await runPod(), await runPod()];
    const running = await runContainer(other);
    misbehave("create", hangs);
    let isOver = false;
    const failed = createContainer(slow)
      .catch((error) => error.code)
      .finally(() => {
        isOver = true;
      });
    expect(await inside(running, "echo still here")).toBe("still here");
    await stop(running, 0);
    expect((await client.runtime("Status", {})).status!.conditions.every(({ status }) => status)).toBe(true);
    expect(isOver).toBe(false);
    expect(await failed).toBe("DeadlineExceeded");
  });
});

describe("start", () => {
  test.each([
    ["fails", fails, "start failed: the disk has fallen off"],
    ["hangs", hangs, "did not end within 2 s"],
  ])("%s: the container is EXITED with the reason, and goes", async (_, script, message) => {
    const containerId = await createContainer(await runPod());
    misbehave("start", script);
    await expect(client.runtime("StartContainer", { containerId })).rejects.toThrow(message);
    expect(await statusOf(containerId)).toMatchObject({
      state: ContainerState.CONTAINER_EXITED,
      exitCode: 128,
      reason: "StartError",
      message: expect.stringContaining(message),
    });
    await removeContainer(containerId);
    expect(leftOver()).toEqual([]);
  });
});

/** crun and runc then wait for a reader of exec.fifo, who is no more: this one waits as they do. */
test("start of a container whose process is killed just then ends long before the runtime's own time limit", async () => {
  const handlers = { moody: { path: at("moody-runc") } };
  const patient = await startDaemon({ registry: registry.url, options: { runtime: { handlers } } });
  const patientClient = new Client(patient.socket);
  try {
    await patientClient.image("PullImage", { image: { image } });
    const own = podCalls(() => ({ client: patientClient, daemon: patient, image }));
    const containerId = await own.createContainer(await own.runPod({ linux: { cgroupParent } }, "moody"));
    misbehave("start", `kill -9 $(cat ${patient.state}/containers/${containerId}/pid); ${hangs}`);
    const began = performance.now();
    const message = expect.stringContaining("ended before it was started");
    await expect(patientClient.runtime("StartContainer", { containerId })).rejects.toMatchObject({ message });
    expect(performance.now() - began).toBeLessThan(60_000);
    expect(await own.statusOf(containerId)).toMatchObject({ state: ContainerState.CONTAINER_EXITED, exitCode: 137 });
    behave();
    await own.removePods();
  } finally {
    behave();
    patientClient.close();
    await patient.remove();
  }
});

describe("delete", () => {
  test.each([
    ["fails", fails, "delete failed: the disk has fallen off"],
    ["hangs", hangs, "did not end within 2 s"],
  ])("%s: the container is stopped, and stays until it can be removed", async (_, script, message) => {
    const id = await runContainer(await runPod());
    misbehave("delete", script);
    await stop(id, 0);
    expect(await statusOf(id)).toMatchObject({ state: ContainerState.CONTAINER_EXITED, exitCode: 137 });
    await expect(removeContainer(id)).rejects.toThrow(message);
    expect(await containers()).toEqual([id]);
    behave();
    await removeContainer(id);
    expect([await containers(), leftOver()]).toEqual([[], []]);
  });
});

describe("run, for the process that holds a PID namespace", () => {
  const linux = { cgroupParent, securityContext: { namespaceOptions: { pid: NamespaceMode.POD } } };

  test.each([
    ["fails", fails, "run failed"],
    ["hangs", hangs, "within 2 s"],
  ])("%s: nothing of the pod is left, and a retry makes it", async (_, script, message) => {
    const config = podConfig({ linux });
    const request = { config, runtimeHandler: "moody" };
    misbehave("run", script);
    await expect(client.runtime("RunPodSandbox", request)).rejects.toThrow(message);
    expect([fs.readdirSync(path.join(daemon.state, "sandboxes")), daemon.allocatedAddresses(), leftOver()]).toEqual([
      [],
      [],
      [],
    ]);
    behave();
    const { podSandboxId } = await client.runtime("RunPodSandbox", request);
    const { status } = await client.runtime("PodSandboxStatus", { podSandboxId });
    expect(status!.state).toBe(PodSandboxState.SANDBOX_READY);
  });
});

test("exec and update that fail or hang harm nothing", async () => {
  const containerId = await runContainer(await runPod());
  const exec = (timeout: bigint) => client.runtime("ExecSync", { containerId, cmd: ["true"], timeout });
  const update = () => client.runtime("UpdateContainerResources", { containerId, linux: { cpuShares: 512n } });
  misbehave("exec", fails);
  await expect(exec(0n)).rejects.toThrow("exec failed: the disk has fallen off");
  misbehave("exec", hangs);
  await expect(exec(1n)).rejects.toMatchObject({ code: "DeadlineExceeded" });
  misbehave("update", fails);
  await expect(update()).rejects.toThrow("update failed: the disk has fallen off");
  misbehave("update", hangs);
  await expect(update()).rejects.toMatchObject({ code: "DeadlineExceeded" });
  behave();
  await update();
  expect(await inside(containerId, "echo well")).toBe("well");
  expect(await eventually(leftOver, (left) => !left.includes("sleep 4567"))).not.toContain("sleep 4567");
});

test("a command's user is in a file that the runtime reads, never an option", async () => {
  const securityContext = { runAsUser: { value: 1234n } };
  const containerId = await runContainer(await runPod(), { linux: { securityContext } });
  expect(await inside(containerId, "id -u")).toBe("1234");
  const [call] = fs
    .readFileSync(at("calls"), "utf8")
    .split("\n")
    .filter((line) => line.includes(" exec "));
  expect(call).toMatch(/ exec --process \S+ --pid-file \S+ [0-9a-f]{64}$/);
});

describe.each(["crun", "runc"])("an image's links to the host, under %s", (handler) => {
  /** A directory of the host, and a container of an image that has links into it. */
  async function withLinks(links: { path: string; target: string }[], over = {}) {
    const own = await registry.push(`test/links-${handler}`, busyboxImage({}, makeLayer(links)));
    await client.image("PullImage", { image: { image: own } });
    return runContainer(await calls.runPod({}, handler), { image: { image: own }, ...over });
  }
  const victimDirectory = () => {
    const victim = fs.mkdtempSync(at("victim-"));
    fs.writeFileSync(path.join(victim, "file"), "of the host");
    return victim;
  };
  const expectUntouched = (victim: string) => {
    expect(fs.readdirSync(victim)).toEqual(["file"]);
    expect(fs.readFileSync(path.join(victim, "file"), "utf8")).toBe("of the host");
  };

  test("lead no mount and no mask out of the container", async () => {
    const victim = victimDirectory();
    const links = [
      { path: "data", target: victim },
      { path: "up", target: "../../../../../.." },
      { path: "masked", target: path.join(victim, "file") },
    ];
    const hostPath = fs.mkdtempSync(at("mounted-"));
    const mounts = ["/data/made", `/up${victim}/made`].map((containerPath) => ({ containerPath, hostPath }));
    const linux = { securityContext: { maskedPaths: ["/masked"], readonlyPaths: ["/data"] } };
    // crun 1.8 refuses them for the directory that is not there, others make it within
    await withLinks(links, { mounts, linux }).catch((error) => expect(error.message).toContain("create failed"));
    expectUntouched(victim);
  });

  test("are refused in the place of /dev", async () => {
    const victim = victimDirectory();
    await expect(withLinks([{ path: "dev", target: victim }])).rejects.toMatchObject({
      code: "InvalidArgument",
      message: expect.stringContaining("the image's /dev is a link"),
    });
    expectUntouched(victim);
  });
});
