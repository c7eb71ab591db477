import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import {
  CgroupDriver,
  type ContainerConfig,
  ContainerState,
  type Init,
  NamespaceMode,
  PodSandboxState,
} from "../../api/messages";
import { type CallOptions, Client } from "../../cri/client/client";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage, makeLayer } from "../support/images";
import { eventually, podCalls } from "../support/pods";
import { type TestRegistry, testRegistry } from "../support/registry";
import { temporaryDirectory, uniqueId } from "../support/unique";

/** What the CRI's users rely on and its .proto does not say, field by field over gRPC. See docs/semantics.md. */
let registry: TestRegistry;
let daemon: TestDaemon;
let client: Client;
let image = "";
let directory = "";

/** A runtime handler that takes its time to start a container, and to say that one is made. */
const slowRuntime = `#!/bin/sh
case " $* " in
*" create "*) runc "$@" && exec sleep 0.5 ;;
*" start "*) sleep 0.2 && exec runc "$@" ;;
*) exec runc "$@" ;;
esac
`;

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  directory = temporaryDirectory();
  const slow = path.join(directory, "slow-runc");
  fs.writeFileSync(slow, slowRuntime, { mode: 0o755 });
  const options = { runtime: { handlers: { slow: { path: slow } } } };
  daemon = await startDaemon({ registry: registry.url, options });
  client = new Client(daemon.socket);
  await client.image("PullImage", { image: { image } });
}, 60_000);

const mounted: string[] = [];

/** A directory of the host from which mounts can reach a container. */
function sharedMount(): string {
  const target = fs.mkdtempSync(path.join(directory, "shared-"));
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", target]);
  mounted.push(target);
  execFileSync("mount", ["--make-shared", target]);
  return target;
}

afterEach(async () => {
  await removePods();
  for (const target of mounted.splice(0)) execFileSync("umount", ["-R", target]);
});

afterAll(async () => {
  client?.close();
  await daemon?.remove();
  await registry?.stop();
  if (directory) fs.rmSync(directory, { recursive: true });
}, 60_000);

const { podConfig, runPod, containerConfig, create, createContainer, runContainer, removePods, ...calls } = podCalls(
  () => ({ client, daemon, image }),
);
const { statusOf, podStatusOf, stop, inside, exited, processesOf } = calls;

const unknown = "e".repeat(64);

describe("the node", () => {
  test("Version() has all four fields, and ImageFsInfo() answers", async () => {
    const version = await client.runtime("Version", {});
    expect(Object.values(version).filter((text) => text === "")).toEqual([]);
    expect(Object.keys(version)).toHaveLength(4);
    expect((await client.image("ImageFsInfo", {})).imageFilesystems).toHaveLength(1);
  });

  test("Status() stays RuntimeReady when there is no CNI configuration, and pods on the host's network run", async () => {
    const conditions = async () => {
      const { status } = await client.runtime("Status", {});
      return status!.conditions.map(({ type, status: isTrue, reason }) => [type, isTrue, reason]);
    };
    const file = path.join(daemon.confDir, fs.readdirSync(daemon.confDir)[0]!);
    fs.renameSync(file, `${file}.away`);
    try {
      expect(await eventually(conditions, ([, network]) => network![1] === false)).toEqual([
        ["RuntimeReady", true, ""],
        ["NetworkReady", false, "NetworkPluginNotReady"],
      ]);
      await runPod({ linux: { securityContext: { namespaceOptions: { network: NamespaceMode.NODE } } } });
    } finally {
      fs.renameSync(`${file}.away`, file);
    }
    expect((await eventually(conditions, ([, network]) => network![1] === true))[1]![1]).toBe(true);
  });

  test("a verbose Status() has the state directory in JSON, and RuntimeConfig() the driver in force", async () => {
    const { info } = await client.runtime("Status", { verbose: true });
    expect(JSON.parse(info["config"]!).stateDir).toBe(daemon.state);
    const driver = async () => (await client.runtime("RuntimeConfig", {})).linux!.cgroupDriver;
    const systemd = JSON.parse(info["runtime"]!).cgroupDriver === "systemd";
    expect(await driver()).toBe(systemd ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS);
    await runContainer(await runPod());
    expect(await driver()).toBe(systemd ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS);
  });
});

describe("what is not there", () => {
  test("stop and remove succeed, what asks for something of it is NotFound", async () => {
    await stop(unknown, 0);
    await client.runtime("RemoveContainer", { containerId: unknown });
    await client.runtime("StopPodSandbox", { podSandboxId: unknown });
    await client.runtime("RemovePodSandbox", { podSandboxId: unknown });
    await client.image("RemoveImage", { image: { image: "no/such:image" } });
    const container = { containerId: unknown };
    for (const asked of [
      client.runtime("ContainerStatus", container),
      client.runtime("PodSandboxStatus", { podSandboxId: unknown }),
      client.runtime("StartContainer", container),
      client.runtime("ExecSync", { ...container, cmd: ["true"] }),
      client.runtime("Exec", { ...container, cmd: ["true"], stdout: true }),
      client.runtime("Attach", { ...container, stdout: true }),
      client.runtime("PortForward", { podSandboxId: unknown }),
      client.runtime("ContainerStats", container),
      client.runtime("PodSandboxStats", { podSandboxId: unknown }),
      client.runtime("ReopenContainerLog", container),
      client.runtime("UpdateContainerResources", { ...container, linux: { cpuShares: 2n } }),
    ]) {
      await expect(asked).rejects.toMatchObject({ code: "NotFound" });
    }
  });

  test("ImageStatus() has no image and no error, and filters for an unknown ID give empty lists", async () => {
    await runContainer(await runPod());
    expect((await client.image("ImageStatus", { image: { image: "no/such:image" } })).image).toBeNull();
    expect((await client.image("ListImages", { filter: { image: { image: "no/such:image" } } })).images).toEqual([]);
    expect((await client.runtime("ListContainers", { filter: { id: unknown } })).containers).toEqual([]);
    expect((await client.runtime("ListContainers", { filter: { podSandboxId: unknown } })).containers).toEqual([]);
    expect((await client.runtime("ListPodSandbox", { filter: { id: unknown } })).items).toEqual([]);
    expect((await client.runtime("ListContainerStats", { filter: { id: unknown } })).stats).toEqual([]);
    expect((await client.runtime("ListPodSandboxStats", { filter: { id: unknown } })).stats).toEqual([]);
  });
});

describe("a request again", () => {
  test("RunPodSandbox() gives the first one's sandbox when its client gave up, in whatever order the labels come", async () => {
    const labels = { a: "1", b: "2", c: "3" };
    const config = podConfig({ labels });
    const first = client.runtime("RunPodSandbox", { config }, { timeoutMs: 15 });
    await expect(first).rejects.toMatchObject({ code: "DeadlineExceeded" });
    const reversed = Object.fromEntries(Object.entries(labels).toReversed());
    const retry = { config: { ...config, labels: reversed } };
    const { podSandboxId } = await client.runtime("RunPodSandbox", retry);
    expect((await client.runtime("ListPodSandbox", {})).items.map(({ id }) => id)).toEqual([podSandboxId]);
    // once it is made, and after a restart as well
    expect((await client.runtime("RunPodSandbox", retry)).podSandboxId).toBe(podSandboxId);
    await daemon.stop();
    await daemon.start();
    expect((await client.runtime("RunPodSandbox", retry)).podSandboxId).toBe(podSandboxId);
    const other = { config: { ...config, labels: { a: "2" } } };
    await expect(client.runtime("RunPodSandbox", other)).rejects.toMatchObject({ code: "AlreadyExists" });
  });

  test("CreateContainer() gives the first one's container to the kubelet, which changes its request a little", async () => {
    const pod = await runPod({}, "slow");
    const envs = ["A", "B", "C"].map((key) => ({ key, value: Buffer.from(key) }));
    const request = (attempt: string, order: typeof envs): Init<ContainerConfig> => ({
      ...config,
      envs: order,
      mounts: [{ containerPath: "/end", hostPath: path.join(daemon.directory, "end", attempt) }],
    });
    const config = containerConfig();
    const first = create(pod, request("1", envs), { timeoutMs: 100 });
    await expect(first).rejects.toMatchObject({ code: "DeadlineExceeded" });
    expect((await client.runtime("ListContainers", {})).containers).toEqual([]);
    const id = await create(pod, request("2", envs.toReversed()));
    expect((await client.runtime("ListContainers", {})).containers.map((each) => each.id)).toEqual([id]);
    // after a restart as well
    await daemon.stop();
    await daemon.start();
    expect(await create(pod, request("3", envs))).toBe(id);
    const other = create(pod, { ...config, command: ["true"] });
    await expect(other).rejects.toMatchObject({ code: "AlreadyExists" });
  });

  test("an unknown runtime handler is refused, none is the default one", async () => {
    const refused = client.runtime("RunPodSandbox", { config: podConfig(), runtimeHandler: "nope" });
    await expect(refused).rejects.toMatchObject({ code: "InvalidArgument" });
    expect((await podStatusOf(await runPod())).runtimeHandler).toBe("");
  });
});

describe("starting", () => {
  test("a failed start leaves EXITED, 128, StartError and a message", async () => {
    const containerId = await createContainer(await runPod());
    const runtimes = path.join(daemon.state, "runtimes");
    // a runtime that has forgotten its container can't start it
    for (const name of fs.readdirSync(runtimes))
      fs.rmSync(path.join(runtimes, name, containerId), { recursive: true, force: true });
    await expect(client.runtime("StartContainer", { containerId })).rejects.toMatchObject({ code: "Internal" });
    const { state, exitCode, reason, message, startedAt, finishedAt, createdAt } = await statusOf(containerId);
    expect([state, exitCode, reason, startedAt]).toEqual([ContainerState.CONTAINER_EXITED, 128, "StartError", 0n]);
    expect(message).not.toBe("");
    expect(fs.globSync([`/sys/fs/cgroup/**/${containerId}`])).toEqual([]);
    expect(finishedAt).toBeGreaterThan(createdAt);
    await expect(client.runtime("StartContainer", { containerId })).rejects.toMatchObject({
      code: "FailedPrecondition",
    });
  });

  test.each(["", "slow"])(
    "a command that is not there fails the create under the handler %j, and nothing is left of it",
    async (handler) => {
      const pod = await runPod({}, handler);
      const failed = await createContainer(pod, { command: ["/no/such"] }).catch((error) => error.message);
      expect(failed).toMatch(/\/no\/such.*(no such file|not found)|open executable/i);
      // a time in it would make each failure of the same pod another event
      expect(failed).not.toMatch(/time=|T\d\d:\d\d/);
      expect((await client.runtime("ListContainers", {})).containers).toEqual([]);
      expect(fs.readdirSync(path.join(daemon.state, "containers"))).toEqual([]);
    },
  );

  test("a container that runs can't be started again", async () => {
    const containerId = await runContainer(await runPod());
    await expect(client.runtime("StartContainer", { containerId })).rejects.toMatchObject({
      code: "FailedPrecondition",
    });
    expect((await statusOf(containerId)).state).toBe(ContainerState.CONTAINER_RUNNING);
  });

  test.each<[string, Init<ContainerConfig>, string]>([
    ["a group without a user", { linux: { securityContext: { runAsGroup: { value: 5n } } } }, "run_as_group"],
    ["privileges in a sandbox without", { linux: { securityContext: { privileged: true } } }, "unprivileged sandbox"],
    [
      "a seccomp profile by a relative path",
      { linux: { securityContext: { seccomp: { profileType: 2, localhostRef: "x" } } } },
      "not absolute",
    ],
    [
      "an unknown mount propagation",
      { mounts: [{ containerPath: "/x", hostPath: "/tmp", propagation: 9 }] },
      "propagation 9",
    ],
  ])("%s is refused", async (_, over, message) => {
    const refusal = { code: "InvalidArgument", message: expect.stringContaining(message) };
    await expect(createContainer(await runPod(), over)).rejects.toMatchObject(refusal);
  });
});

describe("stopping", () => {
  const stubborn = { command: ["sh", "-c", "trap '' TERM; touch /ready; while :; do sleep 0.1; done"] };
  const isReady = (id: string) =>
    eventually(
      () => inside(id, "ls /ready"),
      (text) => text === "/ready",
    );

  test("a later, shorter timeout shortens a stop under way, behind which nothing waits", async () => {
    const id = await runContainer(await runPod(), stubborn);
    await isReady(id);
    const { logPath } = await statusOf(id);
    await expect(stop(id, 600, { timeoutMs: 100 })).rejects.toMatchObject({ code: "DeadlineExceeded" });
    const patient = stop(id, 600);
    const began = performance.now();
    expect((await statusOf(id)).state).toBe(ContainerState.CONTAINER_RUNNING);
    fs.renameSync(logPath, `${logPath}.1`);
    await client.runtime("ReopenContainerLog", { containerId: id });
    expect(fs.existsSync(logPath)).toBe(true);
    expect(await inside(id, "echo alive")).toBe("alive");
    await stop(id, 0);
    await patient;
    expect(performance.now() - began).toBeLessThan(5000);
    expect(await statusOf(id)).toMatchObject({
      state: ContainerState.CONTAINER_EXITED,
      exitCode: 137,
      reason: "Error",
    });
  });

  test("a timeout of 0 is SIGKILL at once, without the signal to stop", async () => {
    const obedient = "trap 'exit 5' TERM; touch /ready; while :; do sleep 0.1; done";
    const id = await runContainer(await runPod(), { command: ["sh", "-c", obedient] });
    await isReady(id);
    await stop(id, 0);
    expect(await statusOf(id)).toMatchObject({ exitCode: 137, reason: "Error" });
  });

  test("a client whose deadline passes is let go, and what it has asked for goes on", async () => {
    const id = await runContainer(await runPod(), stubborn);
    await isReady(id);
    await expect(stop(id, 1, { timeoutMs: 100 })).rejects.toMatchObject({ code: "DeadlineExceeded" });
    const letGo = new RegExp(`StopContainer container=${id.slice(0, 13)} ms=\\S+ code=Cancelled`);
    expect(await eventually(daemon.readLog, (log) => letGo.test(log))).toMatch(letGo);
    expect(await exited(id)).toMatchObject({ exitCode: 137, reason: "Error" });
  });

  test("death by a signal is 128 and its number", async () => {
    const shared = { linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.POD } } } };
    const id = await runContainer(await runPod(shared), shared);
    await stop(id, 600);
    expect(await statusOf(id)).toMatchObject({ exitCode: 143, reason: "Error" });
  });

  test("it does nothing to a container that is created or has exited", async () => {
    const containerId = await createContainer(await runPod(), { command: ["true"] });
    await stop(containerId, 0);
    expect((await statusOf(containerId)).state).toBe(ContainerState.CONTAINER_CREATED);
    await client.runtime("StartContainer", { containerId });
    expect(await exited(containerId)).toMatchObject({ exitCode: 0, reason: "Completed" });
    await stop(containerId, 0);
    expect(await statusOf(containerId)).toMatchObject({ exitCode: 0, reason: "Completed" });
  });

  test("a stop that comes while the container starts is done once it runs", async () => {
    const containerId = await createContainer(await runPod({}, "slow"));
    const starting = client.runtime("StartContainer", { containerId });
    await stop(containerId, 0);
    await starting;
    expect(await statusOf(containerId)).toMatchObject({ state: ContainerState.CONTAINER_EXITED, exitCode: 137 });
  });

  test("RemoveContainer() and RemovePodSandbox() take what runs by force", async () => {
    const pod = await runPod();
    const [one, two] = [await runContainer(pod, stubborn), await runContainer(pod, stubborn)];
    const processes = [(await processesOf(one)).pid, (await processesOf(two)).pid];
    await client.runtime("RemoveContainer", { containerId: one });
    await expect(statusOf(one)).rejects.toMatchObject({ code: "NotFound" });
    expect((await statusOf(two)).state).toBe(ContainerState.CONTAINER_RUNNING);
    await client.runtime("RemovePodSandbox", { podSandboxId: pod });
    expect((await client.runtime("ListContainers", {})).containers).toEqual([]);
    expect(processes.filter((pid) => fs.existsSync(`/proc/${pid}`))).toEqual([]);
    expect(daemon.allocatedAddresses()).toEqual([]);
  });

  test.each(["StopPodSandbox", "RemovePodSandbox"] as const)(
    "no container is left to run that is made while %s() goes on",
    async (method) => {
      const podSandboxId = await runPod({}, "slow");
      const making = createContainer(podSandboxId);
      const refused = expect(making).rejects.toMatchObject({ code: "FailedPrecondition" });
      const containers = path.join(daemon.state, "containers");
      const made = () => fs.readdirSync(containers).filter((id) => fs.existsSync(path.join(containers, id, "pid")));
      await eventually(made, ({ length }) => length > 0);
      await client.runtime(method, { podSandboxId });
      await refused;
      expect((await client.runtime("ListContainers", {})).containers).toEqual([]);
      expect(fs.readdirSync(containers)).toEqual([]);
    },
  );
});

describe("a sandbox that died", () => {
  test("is NOTREADY without its network namespace, keeps its containers, and can be stopped and removed", async () => {
    const pod = await runPod();
    const [container, waiting] = [await runContainer(pod), await createContainer(pod)];
    expect(daemon.allocatedAddresses()).toHaveLength(1);
    execFileSync("umount", [path.join(daemon.state, "sandboxes", pod, "ns/net")]);
    expect((await podStatusOf(pod)).state).toBe(PodSandboxState.SANDBOX_NOTREADY);
    const filter = { state: { state: PodSandboxState.SANDBOX_NOTREADY } };
    expect((await client.runtime("ListPodSandbox", { filter })).items.map(({ id }) => id)).toEqual([pod]);
    expect((await client.runtime("ListContainers", {})).containers.map(({ id }) => id)).toEqual([container, waiting]);
    await expect(createContainer(pod)).rejects.toMatchObject({ code: "FailedPrecondition" });
    await expect(client.runtime("StartContainer", { containerId: waiting })).rejects.toThrow("sandbox is not ready");
    expect(await statusOf(waiting)).toMatchObject({ exitCode: 128, reason: "StartError" });
    await client.runtime("StopPodSandbox", { podSandboxId: pod });
    await client.runtime("StopPodSandbox", { podSandboxId: pod });
    expect(daemon.allocatedAddresses()).toEqual([]);
    expect((await statusOf(container)).state).toBe(ContainerState.CONTAINER_EXITED);
  });

  test("is NOTREADY without the process that holds its PID namespace", async () => {
    const shared = { linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.POD } } } };
    const pod = await runPod(shared);
    const container = await runContainer(pod, shared);
    const { info } = await client.runtime("PodSandboxStatus", { podSandboxId: pod, verbose: true });
    process.kill(JSON.parse(info["info"]!).pid, "SIGKILL");
    expect(await exited(container)).toMatchObject({ exitCode: 137 });
    expect((await podStatusOf(pod)).state).toBe(PodSandboxState.SANDBOX_NOTREADY);
    await client.runtime("StopPodSandbox", { podSandboxId: pod });
    expect((await client.runtime("ListContainers", {})).containers).toHaveLength(1);
  });

  test("has an address until it is stopped", async () => {
    const pod = await runPod();
    expect((await podStatusOf(pod)).network!.ip).toContain(daemon.subnet);
    await client.runtime("StopPodSandbox", { podSandboxId: pod });
    expect(await podStatusOf(pod)).toMatchObject({ network: { ip: "", additionalIps: [] } });
  });
});

describe("a container whose end nobody saw", () => {
  const lost = { state: ContainerState.CONTAINER_EXITED, exitCode: 255, reason: "Unknown" };

  test("is EXITED, 255, Unknown, whether the daemon ran then or not; order and limits outlast the restart", async () => {
    const pod = await runPod();
    const ids = [await runContainer(pod), await runContainer(pod), await createContainer(pod)];
    const [during, between, created] = ids as [string, string, string];
    await client.runtime("UpdateContainerResources", { containerId: created, linux: { cpuShares: 300n } });
    const end = async (id: string) => {
      const { pid, monitorPid } = await processesOf(id);
      return () => {
        process.kill(monitorPid, "SIGKILL");
        process.kill(pid, "SIGKILL");
      };
    };
    (await end(during))();
    expect(await exited(during)).toMatchObject(lost);
    const endNow = await end(between);
    await daemon.kill();
    endNow();
    await daemon.start();
    expect(await statusOf(between)).toMatchObject(lost);
    expect(await statusOf(during)).toMatchObject(lost);
    expect((await statusOf(created)).resources!.linux!.cpuShares).toBe(300n);
    expect((await client.runtime("ListContainers", {})).containers.map(({ id }) => id)).toEqual(ids);
  }, 30_000);
});

describe("a container whose monitor was killed", () => {
  test("runs on and takes commands, its log can't be reopened, and it can be stopped", async () => {
    const containerId = await runContainer(await runPod());
    process.kill((await processesOf(containerId)).monitorPid, "SIGKILL");
    expect(await inside(containerId, "echo alive")).toBe("alive");
    await expect(client.runtime("ReopenContainerLog", { containerId })).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringContaining("monitor is gone"),
    });
    expect((await statusOf(containerId)).state).toBe(ContainerState.CONTAINER_RUNNING);
    await stop(containerId, 0);
    expect(await statusOf(containerId)).toMatchObject({ state: ContainerState.CONTAINER_EXITED, reason: "Unknown" });
  });
});

describe("status", () => {
  const odd = { "": "", ["__proto__"]: "1", "ключ/ü": "Wert\n\u0000 \u{1f600}", "a.b/c": "{}", constructor: "2" };

  test("labels, annotations and mounts come back as they were given, and nothing else with them", async () => {
    const pod = await runPod({ labels: odd, annotations: odd });
    const hostPath = path.join(daemon.directory, "linked");
    const shared = sharedMount();
    fs.symlinkSync(shared, hostPath);
    const mounts = [{ containerPath: "/there", hostPath, readonly: true, propagation: 1 }];
    const id = await createContainer(pod, { labels: odd, annotations: odd, mounts });
    const status = await statusOf(id);
    const [listed] = (await client.runtime("ListContainers", {})).containers;
    const [listedPod] = (await client.runtime("ListPodSandbox", {})).items;
    for (const { labels, annotations } of [status, listed!, listedPod!, await podStatusOf(pod)]) {
      expect([labels, annotations]).toEqual([odd, odd]);
    }
    expect(status.mounts).toHaveLength(1);
    expect(status.mounts[0]).toMatchObject({ containerPath: "/there", hostPath, readonly: true, propagation: 1 });
  });

  test("has what the kubelet's client insists on, for a container also when its image is gone", async () => {
    const config = podConfig();
    const { podSandboxId } = await client.runtime("RunPodSandbox", { config });
    const { name, namespace, uid } = config.metadata!;
    const pod = await podStatusOf(podSandboxId);
    expect(pod).toMatchObject({ id: podSandboxId, metadata: { name, namespace, uid } });
    expect(pod.createdAt).toBeGreaterThan(0n);

    const own = await registry.push("test/short-lived", busyboxImage({}, makeLayer([{ path: "own", body: "1" }])));
    await client.image("PullImage", { image: { image: own } });
    const id = await createContainer(podSandboxId, { metadata: { name: "c", attempt: 3 }, image: { image: own } });
    await client.image("RemoveImage", { image: { image: own } });
    for (const restart of [false, true]) {
      if (restart) {
        await daemon.stop();
        await daemon.start();
      }
      const status = await statusOf(id);
      expect(status).toMatchObject({ id, metadata: { name: "c", attempt: 3 }, image: { image: own } });
      expect(status.imageRef).toMatch(/@sha256:[0-9a-f]{64}$/);
      expect(status.createdAt).toBeGreaterThan(0n);
    }
  });

  test("times are in ns, in order, and set only once what they tell has happened", async () => {
    const pod = await runPod();
    const { createdAt: podCreatedAt } = await podStatusOf(pod);
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push(await createContainer(pod, { command: ["true"] }));
    const statuses = await Promise.all(ids.map(statusOf));
    const times = [podCreatedAt, ...statuses.map(({ createdAt }) => createdAt)];
    expect(times).toEqual(times.toSorted((a, b) => Number(a - b)));
    expect(new Set(times).size).toBe(4);
    expect(times.every((time) => Math.abs(Number(time / 1_000_000n) - Date.now()) < 10_000)).toBe(true);
    expect(statuses.map(({ startedAt, finishedAt }) => [startedAt, finishedAt])).toEqual(ids.map(() => [0n, 0n]));
    expect(await statusOf(await runContainer(pod))).toMatchObject({ finishedAt: 0n });
    await client.runtime("StartContainer", { containerId: ids[0]! });
    const { createdAt, startedAt, finishedAt } = await exited(ids[0]!);
    expect(createdAt).toBeLessThan(startedAt);
    expect(startedAt).toBeLessThanOrEqual(finishedAt);
  });

  test("the log's path is absolute, and there is none when either half is empty", async () => {
    const logDirectory = path.join(daemon.directory, "logs", "here");
    const [withDirectory, without] = [await runPod({ logDirectory }), await runPod({ logDirectory: "" })];
    const logPathOf = async (pod: string, logPath: string) =>
      (await statusOf(await createContainer(pod, { logPath }))).logPath;
    expect(await logPathOf(withDirectory, "x/0.log")).toBe(path.join(logDirectory, "x/0.log"));
    expect(await logPathOf(withDirectory, "")).toBe("");
    expect(await logPathOf(without, "x/0.log")).toBe("");
  });
});

describe("ExecSync()", () => {
  const exec = (containerId: string, script: string, timeout = 0, options: CallOptions = {}) =>
    client.runtime("ExecSync", { containerId, cmd: ["sh", "-c", script], timeout: BigInt(timeout) }, options);

  test("carries outputs that fit in one message together, and kills what prints more", async () => {
    const id = await runContainer(await runPod());
    const full = await exec(id, "head -c 7500000 /dev/zero; head -c 7500000 /dev/zero >&2; exit 3");
    expect([full.stdout.length, full.stderr.length, full.exitCode]).toEqual([7_500_000, 7_500_000, 3]);
    const tooMuch = "head -c 9000000 /dev/zero; head -c 9000000 /dev/zero >&2; sleep 4321";
    await expect(exec(id, tooMuch)).rejects.toMatchObject({
      code: "ResourceExhausted",
      message: expect.stringContaining("was killed"),
    });
    expect(await inside(id, "ps")).not.toContain("4321");
  });

  test("kills the command with all that it started at its timeout, and when the client leaves", async () => {
    const id = await runContainer(await runPod());
    const endless = "sleep 4321 & sleep 4321";
    await expect(exec(id, endless, 1)).rejects.toMatchObject({ code: "DeadlineExceeded" });
    expect(await inside(id, "ps")).not.toContain("4321");
    await expect(exec(id, endless, 0, { timeoutMs: 300 })).rejects.toMatchObject({ code: "DeadlineExceeded" });
    expect(
      await eventually(
        () => inside(id, "ps"),
        (processes) => !processes.includes("4321"),
      ),
    ).not.toContain("4321");
  });
});

describe("images", () => {
  test("one ID everywhere, from any repository; by ID, tag or digest it is the same image", async () => {
    const twin = busyboxImage({ User: "1000:1000" }, makeLayer([{ path: "twin", body: "1" }]));
    const names = [await registry.push("test/one", twin, "v1"), await registry.push("test/two", twin, "v2")];
    // this registry stands for all
    names[1] = names[1]!.replace(registry.address, "elsewhere.example");
    const refs = [];
    for (const name of names) refs.push((await client.image("PullImage", { image: { image: name } })).imageRef);
    const status = async (name: string) => (await client.image("ImageStatus", { image: { image: name } })).image!;
    const known = await status(names[0]!);
    expect(refs).toEqual([known.id, known.id]);
    for (const name of [known.id, names[1]!, ...known.repoDigests]) expect(await status(name)).toEqual(known);
    expect(known.repoTags.toSorted()).toEqual(names.toSorted());
    expect([known.uid?.value, known.username, known.size > 0n]).toEqual([1000n, "", true]);

    const pod = await runPod();
    const id = await createContainer(pod, { image: { image: known.id } });
    const container = await statusOf(id);
    const [listed] = (await client.runtime("ListContainers", {})).containers;
    expect([container.imageId, listed!.imageId]).toEqual([known.id, known.id]);
    expect(known.repoDigests).toContain(container.imageRef);

    await Promise.all(
      Array.from({ length: 5 }, (_, n) => client.image("RemoveImage", { image: { image: names[n % 2]! } })),
    );
    const left = (await client.image("ListImages", {})).images;
    expect(left.flatMap(({ repoTags }) => repoTags)).toEqual([image]);
    for (const name of [...names, known.id]) expect(await status(name)).toBeNull();
    const after = await statusOf(id);
    expect([after.imageRef, after.image!.image, after.imageId]).toEqual([
      container.imageRef,
      container.image!.image,
      known.id,
    ]);
    await client.runtime("StartContainer", { containerId: id });
    expect(await inside(id, "cat /twin; id -u")).toBe("11000");
  });

  test("an image is mounted read-only, and a sub-path that it lacks fails the create", async () => {
    const pod = await runPod();
    const volume = { containerPath: "/image", image: { image }, readonly: true };
    const id = await runContainer(pod, { mounts: [{ ...volume, imageSubPath: "bin" }] });
    expect(await inside(id, "ls /image/sh; touch /image/x 2> /dev/null || echo refused")).toBe("/image/sh\nrefused");
    await expect(createContainer(pod, { mounts: [{ ...volume, readonly: false }] })).rejects.toMatchObject({
      code: "InvalidArgument",
    });
    await expect(createContainer(pod, { mounts: [{ ...volume, imageSubPath: "no/such" }] })).rejects.toMatchObject({
      code: "Unknown",
      message: expect.stringMatching(/^ImageVolumeMountFailed: /),
    });
  });
});

describe("within", () => {
  test("hosts, hostname and resolv.conf are the pod's unless the request mounts its own", async () => {
    const pod = await runPod({ hostname: "web-0" });
    const plain = await runContainer(pod);
    expect(await inside(plain, "cat /etc/hostname; hostname; echo $HOSTNAME")).toBe("web-0\nweb-0\nweb-0");
    for (const file of ["/etc/resolv.conf", "/etc/hosts"]) {
      expect(await inside(plain, `cat ${file}`)).toBe(fs.readFileSync(file, "utf8").trimEnd());
    }
    const mounts = ["hosts", "hostname", "resolv.conf"].map((name) => {
      const hostPath = path.join(daemon.directory, `own-${name}`);
      fs.writeFileSync(hostPath, `own ${name}\n`);
      return { containerPath: `/etc/${name}`, hostPath };
    });
    const own = await runContainer(pod, { mounts });
    expect(await inside(own, "cat /etc/hosts /etc/hostname /etc/resolv.conf")).toBe(
      "own hosts\nown hostname\nown resolv.conf",
    );
  });

  test("a pod on the host's network without a hostname has the node's", async () => {
    const host = { linux: { securityContext: { namespaceOptions: { network: NamespaceMode.NODE } } } };
    const id = await runContainer(await runPod(host), host);
    expect(await inside(id, "hostname; echo $HOSTNAME")).toBe(`${os.hostname()}\n${os.hostname()}`);
  });

  test("a container's cgroup lies below the parent that its pod names, and goes with it", async () => {
    const cgroupParent = `/berth-${uniqueId()}/pod1`;
    const pod = await runPod({ linux: { cgroupParent } });
    const id = await runContainer(pod);
    const { pid } = await processesOf(id);
    expect(fs.readFileSync(`/proc/${pid}/cgroup`, "utf8")).toMatch(
      new RegExp(`:(memory)?:${cgroupParent}/${id}$`, "m"),
    );
    await client.runtime("RemovePodSandbox", { podSandboxId: pod });
    const top = path.dirname(cgroupParent);
    expect(fs.globSync([`/sys/fs/cgroup${top}`, `/sys/fs/cgroup/*${top}`])).toEqual([]);
  });

  test("users and groups are looked up in the container, and the status tells who runs", async () => {
    const accounts = makeLayer([
      { path: "etc/passwd", body: "root:x:0:0::/:/bin/sh\napp:x:1234:1235::/:/bin/sh\n" },
      { path: "etc/group", body: "root:x:0:\napp:x:1235:\nwheel:x:50:app\n" },
    ]);
    const own = await registry.push("test/accounts", busyboxImage({}, accounts));
    await client.image("PullImage", { image: { image: own } });
    const pod = await runPod();
    const groupsUnder = async (supplementalGroupsPolicy: number) => {
      const securityContext = { runAsUsername: "app", supplementalGroups: [7n], supplementalGroupsPolicy };
      const id = await runContainer(pod, { image: { image: own }, linux: { securityContext } });
      const groups = await inside(id, "id -u; id -g; id -G | tr ' ' '\\n' | sort -n");
      const { uid, gid, supplementalGroups } = (await statusOf(id)).user!.linux!;
      expect([uid, gid, ...supplementalGroups].join("\n")).toBe(groups);
      return groups.split("\n");
    };
    expect(await groupsUnder(0)).toEqual(["1234", "1235", "7", "50", "1235"]);
    expect(await groupsUnder(1)).toEqual(["1234", "1235", "7", "1235"]);
  });

  test("seccomp is off when nothing is said of it, and on when an empty profile is", async () => {
    const pod = await runPod();
    const mode = async (linux: ContainerConfig["linux"] | object) =>
      inside(await runContainer(pod, { linux }), "grep Seccomp: /proc/1/status | cut -f2");
    expect(await mode({ securityContext: {} })).toBe("0");
    expect(await mode({ securityContext: { seccomp: {} } })).toBe("2");
    expect(await mode({ securityContext: { seccompProfilePath: "runtime/default" } })).toBe("2");
  });

  test("limits change on CREATED too, up and down with the swap, and show in the status", async () => {
    const containerId = await createContainer(await runPod(), {
      linux: { resources: { memoryLimitInBytes: 64n << 20n } },
    });
    const update = async (mebibytes: bigint) => {
      const linux = { memoryLimitInBytes: mebibytes << 20n };
      await client.runtime("UpdateContainerResources", { containerId, linux });
      return (await statusOf(containerId)).resources!.linux!.memoryLimitInBytes;
    };
    const isV2 = fs.existsSync("/sys/fs/cgroup/cgroup.controllers");
    const files = isV2 ? "memory.max" : "memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes";
    const counted = async () => (await inside(containerId, `cd /sys/fs/cgroup && cat ${files}`)).split("\n");
    expect(await update(128n)).toBe(128n << 20n);
    await client.runtime("StartContainer", { containerId });
    expect(await counted()).toEqual(files.split(" ").map(() => String(128 << 20)));
    expect(await update(32n)).toBe(32n << 20n);
    expect(await counted()).toEqual(files.split(" ").map(() => String(32 << 20)));
  });
});

describe("logs", () => {
  test("ReopenContainerLog() has the new file when it returns, and makes none for what does not run", async () => {
    const containerId = await createContainer(await runPod());
    const { logPath } = await statusOf(containerId);
    const reopen = async () => {
      if (fs.existsSync(logPath)) fs.renameSync(logPath, `${logPath}.1`);
      await client.runtime("ReopenContainerLog", { containerId });
    };
    await expect(reopen()).rejects.toMatchObject({ code: "FailedPrecondition" });
    expect(fs.existsSync(logPath)).toBe(false);
    await client.runtime("StartContainer", { containerId });
    await reopen();
    expect(fs.existsSync(logPath)).toBe(true);
    await stop(containerId, 0);
    await expect(reopen()).rejects.toMatchObject({ code: "FailedPrecondition" });
    expect(fs.existsSync(logPath)).toBe(false);
  });
});
