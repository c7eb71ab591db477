import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { CgroupDriver, ContainerState } from "../../api/messages";
import { Client } from "../../cri/client/client";
import { detectCgroups } from "../../sys/cgroups";
import { busyboxImage } from "../support/images";
import { ended, runPod, shell, type TestPod } from "../support/test-pod";
import { type TestRegistry, testRegistry } from "../support/registry";
import { startSystemdDaemon, type SystemdDaemon, systemctl } from "../support/systemd-daemon";

/** cgroup v2 with systemd as the driver, and the daemon as a unit of systemd: as most nodes are. */
const obstacle =
  detectCgroups().version !== "v2"
    ? "cgroups are not version 2 here"
    : !fs.existsSync("/run/systemd/system") && "systemd is not process 1 here";
if (obstacle) console.warn(`the tests of systemd's cgroups are skipped: ${obstacle}`);

const MiB = 1 << 20;
const uid = "5b2f6e0c-91d1-4a57-8f43-0a9d6c1b7e55";
/** As the kubelet names the slice of a burstable pod, and gives it whatever its driver. */
const slices = [
  "kubepods.slice",
  "kubepods-burstable.slice",
  `kubepods-burstable-pod${uid.replaceAll("-", "_")}.slice`,
];
const parent = `/${slices.join("/")}`;
const mount = "/sys/fs/cgroup";
/** TMPFS_MAGIC of statfs(2). */
const tmpfs = 0x01021994;

const read = (cgroup: string, file: string) => fs.readFileSync(path.join(mount, cgroup, file), "utf8").trim();
const scopeOf = (id: string, slice = parent) => `${slice}/cri-berth-${id}.scope`;
const units = () =>
  execFileSync("systemctl", ["list-units", "--all", "--plain", "--no-legend", "cri-berth-*"], { encoding: "utf8" })
    .split("\n")
    .filter(Boolean);

(obstacle ? describe.skip : describe)("systemd with cgroup v2", () => {
  let registry: TestRegistry;
  let node: SystemdDaemon;
  let client: Client;
  let image = "";
  let pod: TestPod;
  let unitsBefore: string[] = [];
  let slicesBefore: string[] = [];

  const pidOf = async (containerId: string) => {
    const { info } = await client.runtime("ContainerStatus", { containerId, verbose: true });
    return (JSON.parse(info["info"]!) as { pid: number }).pid;
  };

  beforeAll(async () => {
    unitsBefore = units();
    slicesBefore = fs.readdirSync(mount).filter((name) => name.endsWith(".slice"));
    registry = await testRegistry();
    image = await registry.push("test/busybox", busyboxImage());
    node = await startSystemdDaemon({ registry: registry.url, options: { runtime: { pids_limit: 77 } } });
    client = new Client(node.daemon.socket);
    await client.image("PullImage", { image: { image } });
    const logDirectory = path.join(node.daemon.directory, "logs");
    pod = await runPod(client, { name: "burstable", uid, image, logDirectory, linux: { cgroupParent: parent } });
  }, 180_000);

  afterAll(async () => {
    client?.close();
    await node?.remove();
    await registry?.stop();
  }, 120_000);

  test("auto is systemd, and the kubelet is told", async () => {
    const { linux } = await client.runtime("RuntimeConfig", {});
    expect(linux!.cgroupDriver).toBe(CgroupDriver.SYSTEMD);
  });

  test.each(["crun", "runc"])(
    "by %s limits lie in the scope in the pod's slice, from the creation on",
    async (handler) => {
      const resources = {
        cpuPeriod: 100_000n,
        cpuQuota: 50_000n,
        cpuShares: 512n,
        cpusetCpus: "0",
        memoryLimitInBytes: BigInt(64 * MiB),
        hugepageLimits: [{ pageSize: "2MB", limit: BigInt(4 * MiB) }],
        unified: { "memory.high": String(60 * MiB), "memory.oom.group": "1" },
      };
      const limited = await runPod(client, {
        name: `limited-${handler}`,
        image,
        handler,
        linux: { cgroupParent: parent },
      });
      const id = await limited.create("limited", ["sleep", "1000"], { resources });
      const scope = scopeOf(id);
      const file = (name: string) => read(scope, name);
      expect(file("cpu.max")).toBe("50000 100000");
      expect(file("cpuset.cpus")).toBe("0");
      expect(file("memory.max")).toBe(String(64 * MiB));
      expect(file("memory.swap.max")).toBe("0");
      expect(file("memory.high")).toBe(String(60 * MiB));
      expect(file("pids.max")).toBe("77");
      // what systemd has no word for, crun puts into the cgroup that it makes in the scope
      const inner = handler === "crun" ? `${scope}/container` : scope;
      expect(read(inner, "memory.oom.group")).toBe("1");
      expect(read(inner, "hugetlb.2MB.max")).toBe(String(4 * MiB));
      // 512 of 1024 shares are less than the default weight, whichever conversion the runtime knows
      expect(Number(file("cpu.weight"))).toBeGreaterThan(1);
      expect(Number(file("cpu.weight"))).toBeLessThan(100);
      expect(systemctl("show", "--property", "MemoryMax", path.basename(scope)).trim()).toBe(`MemoryMax=${64 * MiB}`);

      // in place, before and after the start; what is not named stays
      const change = (linux: object) => client.runtime("UpdateContainerResources", { containerId: id, linux });
      await change({ memoryLimitInBytes: BigInt(128 * MiB), unified: { "memory.high": String(100 * MiB) } });
      expect([file("memory.max"), file("memory.high")]).toEqual([String(128 * MiB), String(100 * MiB)]);
      await client.runtime("StartContainer", { containerId: id });
      await change({ cpuPeriod: 100_000n, cpuQuota: 20_000n, cpusetCpus: "0-1" });
      expect([file("cpu.max"), file("cpuset.cpus")]).toEqual(["20000 100000", "0-1"]);
      expect([file("memory.max"), file("memory.swap.max")]).toEqual([String(128 * MiB), "0"]);
      // a reload makes systemd write again what it knows
      systemctl("daemon-reload");
      expect([file("cpu.max"), file("memory.max")]).toEqual(["20000 100000", String(128 * MiB)]);
      const { status } = await client.runtime("ContainerStatus", { containerId: id });
      expect(status!.resources!.linux).toMatchObject({ cpuQuota: 20_000n, memoryLimitInBytes: BigInt(128 * MiB) });
      await client.runtime("RemovePodSandbox", { podSandboxId: limited.id });
      expect(fs.existsSync(path.join(mount, scope))).toBe(false);
    },
    90_000,
  );

  test("stats and metrics are those of the scope and the slice", async () => {
    const fill = `x=$(head -c ${30 * MiB} /dev/zero | tr '\\0' x); dd if=/dev/zero of=/f bs=1M count=8; sync; touch /full; sleep 1000; :`;
    const resources = { memoryLimitInBytes: BigInt(200 * MiB) };
    const id = await pod.run("counted", ["sh", "-c", fill], { resources });
    const until = Date.now() + 60_000;
    while ((await shell(client, id, "ls /")).match(/full/) === null && Date.now() < until);
    const { stats } = await client.runtime("ContainerStats", { containerId: id });
    const { memory, cpu, swap, io } = stats!;
    expect(Number(memory!.rssBytes!.value)).toBeGreaterThan(30 * MiB);
    expect(Number(memory!.usageBytes!.value)).toBeGreaterThan(30 * MiB);
    expect(memory!.availableBytes!.value + memory!.workingSetBytes!.value).toBe(BigInt(200 * MiB));
    expect(Number(swap!.swapUsageBytes!.value)).toBe(0);
    const usageUs = Number(/^usage_usec (\d+)$/m.exec(read(scopeOf(id), "cpu.stat"))![1]);
    expect(Number(cpu!.usageCoreNanoSeconds!.value)).toBeGreaterThan(0);
    expect(Number(cpu!.usageCoreNanoSeconds!.value)).toBeLessThanOrEqual(usageUs * 1000);
    if (fs.existsSync(path.join(mount, scopeOf(id), "cpu.pressure"))) {
      for (const each of [cpu!.psi, memory!.psi, io!.psi]) expect(each!.Some).not.toBeNull();
    } else console.warn("this kernel keeps no pressure, so that is not looked at");

    const { stats: podStats } = await client.runtime("PodSandboxStats", { podSandboxId: pod.id });
    const inSlice = BigInt(read(parent, "memory.current"));
    const told = podStats!.linux!.memory!.usageBytes!.value;
    expect(Math.abs(Number(told - inSlice))).toBeLessThan(8 * MiB);
    expect(podStats!.linux!.process!.processCount!.value).toBe(BigInt(read(parent, "pids.current")));

    const { podMetrics } = await client.runtime("ListPodSandboxMetrics", {});
    const { metrics } = podMetrics
      .find(({ podSandboxId }) => podSandboxId === pod.id)!
      .containerMetrics.find(({ containerId }) => containerId === id)!;
    const value = (name: string) => metrics.find((each) => each.name === name)?.value?.value;
    expect(value("container_spec_memory_limit_bytes")).toBe(BigInt(200 * MiB));
    expect(Number(value("container_memory_rss"))).toBeGreaterThan(30 * MiB);
    expect(Number(value("container_processes"))).toBe(2);
    expect(Number(value("container_threads_max"))).toBe(77);
    expect(metrics.find(({ name }) => name === "container_memory_rss")!.labelValues).toContain(scopeOf(id));
    if (fs.statfsSync(node.daemon.root).type !== tmpfs) {
      expect(Number(value("container_fs_writes_bytes_total"))).toBeGreaterThanOrEqual(8 * MiB);
    } else console.warn("the daemon's root is in memory, so block I/O is not looked at: set TMPDIR");
    await client.runtime("RemoveContainer", { containerId: id });
  }, 120_000);

  test("a container that runs out of memory is OOMKilled each time, though systemd removes its cgroup at once", async () => {
    const resources = { memoryLimitInBytes: BigInt(16 * MiB) };
    for (const round of [1, 2, 3]) {
      const id = await pod.run(`hog-${round}`, ["sh", "-c", "x=$(head -c 200000000 /dev/zero | tr '\\0' x)"], {
        resources,
      });
      expect(await ended(client, id)).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
    }
    const id = await pod.run("killed", ["sleep", "1000"], { resources });
    process.kill(await pidOf(id), "SIGKILL");
    expect(await ended(client, id)).toMatchObject({ exitCode: 137, reason: "Error" });
  }, 120_000);

  test("a pod without a parent is in system.slice, and a shared PID namespace's holder is in a scope too", async () => {
    const shared = { securityContext: { namespaceOptions: { pid: 0 } } };
    const other = await runPod(client, { name: "plain", image, linux: shared });
    const id = await other.run("sleeper", ["sleep", "1000"], shared);
    expect(read(scopeOf(id, "/system.slice"), "cgroup.events")).toContain("populated 1");
    expect(read(scopeOf(other.id, "/system.slice"), "cgroup.events")).toContain("populated 1");
    await client.runtime("RemovePodSandbox", { podSandboxId: other.id });
    for (const each of [id, other.id])
      expect(fs.existsSync(path.join(mount, scopeOf(each, "/system.slice")))).toBe(false);
    expect(fs.existsSync(path.join(mount, "system.slice"))).toBe(true);
  }, 60_000);

  test.each([
    ["restarts", () => systemctl("restart", node.unit)],
    ["brings back", () => systemctl("kill", "--kill-whom=main", "--signal=KILL", node.unit)],
  ])(
    "systemd %s the daemon, and pods go on with their logs",
    async (verb, act) => {
      const script = "trap 'exit 7' TERM; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done";
      const name = `talker-${verb.split(" ")[0]}`;
      const id = await pod.run(name, ["sh", "-c", script]);
      const pid = await pidOf(id);
      act();
      await node.ready();
      expect(await pidOf(id)).toBe(pid);
      const { status } = await client.runtime("ContainerStatus", { containerId: id });
      expect(status!.state).toBe(ContainerState.CONTAINER_RUNNING);
      expect(await shell(client, id, "echo still here")).toBe("still here");
      await client.runtime("StopContainer", { containerId: id, timeout: 30n });
      expect(await ended(client, id)).toMatchObject({ exitCode: 7 });
      const log = fs.readFileSync(path.join(node.daemon.directory, "logs", `${name}.log`), "utf8");
      const numbers = [...log.matchAll(/line (\d+)$/gm)].map(([, number]) => Number(number));
      expect(numbers.length).toBeGreaterThan(0);
      expect(numbers).toEqual(numbers.map((_each, index) => index + 1));
    },
    90_000,
  );

  test("nothing is left: no scope, no slice that was not there, no unit that failed", async () => {
    await client.runtime("RemovePodSandbox", { podSandboxId: pod.id });
    expect(units()).toEqual(unitsBefore);
    const now = fs.readdirSync(mount).filter((each) => each.endsWith(".slice"));
    expect(now).toEqual(slicesBefore);
  }, 60_000);
});
