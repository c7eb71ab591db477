import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { type ContainerConfig, type ContainerStatus, type Init, NamespaceMode } from "../../api/messages";
import type { PodSandboxConfig } from "../../api/messages";
import { Client } from "../../cri/client/client";
import { runtimeOptions } from "../../hack/support/runtime.cjs";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage, makeLayer } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";

/** What a container can ask for, and that it is so within. */
let registry: TestRegistry;
let daemon: TestDaemon;
let client: Client;
let image = "";

beforeAll(async () => {
  registry = await testRegistry();
  const groups = makeLayer([
    { path: "etc/passwd", body: "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n" },
    { path: "etc/group", body: "root:x:0:\napp:x:1000:\nextra:x:50000:app\n" },
  ]);
  image = await registry.push("test/busybox", busyboxImage({}, groups));
  daemon = await startDaemon({ registry: registry.url, options: { runtime: runtimeOptions() } });
  fs.chmodSync(daemon.directory, 0o711);
  client = new Client(daemon.socket);
  await client.image("PullImage", { image: { image } });
}, 60_000);

afterEach(async () => {
  const { items } = await client.runtime("ListPodSandbox", {});
  await Promise.all(items.map(({ id }) => client.runtime("RemovePodSandbox", { podSandboxId: id })));
});

afterAll(async () => {
  client?.close();
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

let counter = 0;

async function runPod(over: Init<PodSandboxConfig> = {}): Promise<string> {
  const name = `pod-${++counter}`;
  const metadata = { name, namespace: "default", uid: `uid-${name}` };
  return (await client.runtime("RunPodSandbox", { config: { metadata, linux: {}, ...over } })).podSandboxId;
}

async function create(podSandboxId: string, over: Init<ContainerConfig>): Promise<string> {
  const metadata = { name: `c-${++counter}` };
  const config = { metadata, image: { image }, command: ["sleep", "1000"], linux: {}, ...over };
  return (await client.runtime("CreateContainer", { podSandboxId, config })).containerId;
}

async function run(podSandboxId: string, over: Init<ContainerConfig> = {}): Promise<string> {
  const containerId = await create(podSandboxId, over);
  await client.runtime("StartContainer", { containerId });
  return containerId;
}

const statusOf = async (containerId: string): Promise<ContainerStatus> =>
  (await client.runtime("ContainerStatus", { containerId })).status!;

/** What a shell in a running container prints. */
async function inside(containerId: string, script: string): Promise<string> {
  const { stdout, stderr } = await client.runtime("ExecSync", { containerId, cmd: ["sh", "-c", script] });
  return Buffer.concat([stdout, stderr]).toString().trimEnd();
}

type Context = NonNullable<NonNullable<Init<ContainerConfig>["linux"]>["securityContext"]>;
const secured = (securityContext: Context): Init<ContainerConfig> => ({ linux: { securityContext } });

describe("mounts", () => {
  test("have the options that are asked for", async () => {
    const hostPath = path.join(daemon.directory, "programs");
    fs.mkdirSync(hostPath);
    fs.writeFileSync(path.join(hostPath, "hello"), "#!/bin/sh\necho hello\n", { mode: 0o755 });
    const mounts = [
      { containerPath: "/plain", hostPath },
      { containerPath: "/bare", hostPath, mountOptions: ["noexec", "nodev", "nosuid"] },
    ];
    const id = await run(await runPod(), { mounts });
    expect(await inside(id, "/plain/hello")).toBe("hello");
    expect(await inside(id, "/bare/hello")).toMatch(/denied/);
    expect(await inside(id, "grep ' /bare ' /proc/self/mounts")).toMatch(/nosuid,nodev,noexec/);
    expect((await statusOf(id)).mounts[1]!.mountOptions).toEqual(["noexec", "nodev", "nosuid"]);
  });

  test("are read-only all the way down where that is asked for, and at the top alone where not", async () => {
    const { runtimeHandlers } = (await client.runtime("Status", {})) as {
      runtimeHandlers: { name: string; features: { recursiveReadOnlyMounts: boolean } | null }[];
    };
    const can = runtimeHandlers.find(({ name }) => name === "")!.features!.recursiveReadOnlyMounts;
    const hostPath = path.join(daemon.directory, "tree");
    fs.mkdirSync(path.join(hostPath, "inner"), { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", path.join(hostPath, "inner")]);
    try {
      const mount = (containerPath: string) => ({ containerPath, hostPath, readonly: true });
      const mounts = [mount("/flat"), { ...mount("/deep"), recursiveReadOnly: true }];
      const pod = await runPod();
      if (!can) {
        await expect(create(pod, { mounts })).rejects.toMatchObject({
          message: expect.stringMatching(/^RROUnsupported/),
        });
        return;
      }
      const id = await run(pod, { mounts });
      expect(await inside(id, "touch /flat/x")).toMatch(/Read-only/);
      expect(await inside(id, "touch /flat/inner/x && echo written")).toBe("written");
      expect(await inside(id, "touch /deep/inner/y")).toMatch(/Read-only/);
      expect((await statusOf(id)).mounts[1]).toMatchObject({ readonly: true, recursiveReadOnly: true });
      await client.runtime("RemoveContainer", { containerId: id });
    } finally {
      execFileSync("umount", [path.join(hostPath, "inner")]);
    }
  });

  test("of images tell which image is there, also once its tag means another one and after a restart", async () => {
    const layer = (body: string) => makeLayer([{ path: "data/file", body }]);
    const volume = await registry.push("test/volume", busyboxImage({}, layer("first\n")));
    const pull = () => client.image("PullImage", { image: { image: volume } });
    const { imageRef: known } = await pull();
    const asked = { containerPath: "/image", image: { image: volume }, imageSubPath: "data", readonly: true };
    const id = await run(await runPod(), { mounts: [asked] });
    await registry.push("test/volume", busyboxImage({}, layer("second\n")));
    await pull();
    await daemon.kill();
    await daemon.start();
    expect(await inside(id, "cat /image/file")).toBe("first");
    const [mount] = (await statusOf(id)).mounts;
    expect(mount).toMatchObject({ containerPath: "/image", hostPath: "", imageSubPath: "data" });
    expect(mount!.image).toMatchObject({ image: volume, imageRef: known });
    expect(known).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
});

test("a pull for a runtime handler that is not there is refused, for one that is there not", async () => {
  const pull = (runtimeHandler: string) => client.image("PullImage", { image: { image, runtimeHandler } });
  await expect(pull("nope")).rejects.toMatchObject({ code: "InvalidArgument" });
  expect((await pull("runc")).imageRef).toMatch(/^sha256:/);
});

describe("a process", () => {
  test("has the supplemental groups of the policy, which the status shows", async () => {
    const pod = await runPod();
    const groups = async (supplementalGroupsPolicy: number) => {
      const context = { runAsUser: { value: 1000n }, supplementalGroups: [60000n], supplementalGroupsPolicy };
      const id = await run(pod, secured(context));
      const { linux } = (await statusOf(id)).user!;
      expect([linux!.uid, linux!.gid]).toEqual([1000n, 1000n]);
      const seen = await inside(id, "id -G");
      expect(seen.split(" ").map(BigInt).sort()).toEqual(linux!.supplementalGroups.toSorted());
      return linux!.supplementalGroups;
    };
    expect(await groups(0)).toEqual([1000n, 50000n, 60000n]);
    expect(await groups(1)).toEqual([1000n, 60000n]);
  });

  test("has ambient capabilities as who is not root, and no new privileges where that is asked for", async () => {
    const capabilities = { dropCapabilities: ["ALL"], addAmbientCapabilities: ["NET_BIND_SERVICE"] };
    const id = await run(await runPod(), secured({ runAsUser: { value: 1000n }, capabilities, noNewPrivs: true }));
    const lines = await inside(id, "grep -E 'Cap|NoNewPrivs' /proc/1/status");
    for (const name of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
      expect(lines).toContain(`${name}:\t0000000000000400`);
    }
    expect(lines).toContain("NoNewPrivs:\t1");
  });

  test("has the devices below a directory that it asks for", async () => {
    const devices = [{ hostPath: "/dev/net", containerPath: "/dev/host-net", permissions: "rw" }];
    const id = await run(await runPod(), { devices });
    const real = fs.readdirSync("/dev/net");
    expect(real.length).toBeGreaterThan(0);
    expect((await inside(id, "ls /dev/host-net")).split("\n")).toEqual(real);
    expect(await inside(id, "stat -c %F /dev/host-net/*")).toContain("character special file");
  });

  test("has the sysctls of namespaces that its pod owns, and no pod has the host's", async () => {
    const sysctls = { "net.ipv4.ip_unprivileged_port_start": "80", "kernel.shm_rmid_forced": "1" };
    const id = await run(await runPod({ linux: { sysctls } }));
    const files = "/proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced";
    expect(await inside(id, `cat ${files}`)).toBe("80\n1");
    const on = (options: object, key: string) =>
      runPod({ linux: { sysctls: { [key]: "1" }, securityContext: { namespaceOptions: options } } });
    const refused = { code: "InvalidArgument" };
    await expect(on({ network: NamespaceMode.NODE }, "net.core.somaxconn")).rejects.toMatchObject(refused);
    await expect(on({ ipc: NamespaceMode.NODE }, "kernel.shm_rmid_forced")).rejects.toMatchObject(refused);
    await expect(on({}, "kernel.panic")).rejects.toMatchObject(refused);
  });
});

test("CPUs and huge pages that an update gives are in force, in the status, and outlast a restart", async () => {
  const hugetlb = "/sys/fs/cgroup/hugetlb";
  const isV2 = fs.existsSync("/sys/fs/cgroup/cgroup.controllers");
  const hasHugePages = isV2
    ? fs.readFileSync("/sys/fs/cgroup/cgroup.controllers", "utf8").includes("hugetlb")
    : fs.existsSync(`${hugetlb}/hugetlb.2MB.limit_in_bytes`) || fs.existsSync(`${hugetlb}/hugetlb.2MB.usage_in_bytes`);
  if (!hasHugePages) console.warn("no limits of huge pages are tried: this machine has no hugetlb cgroup controller");
  const id = await run(await runPod());
  const hugepageLimits = hasHugePages ? [{ pageSize: "2MB", limit: 4n << 20n }] : [];
  await client.runtime("UpdateContainerResources", { containerId: id, linux: { cpusetCpus: "0", hugepageLimits } });
  await daemon.kill();
  await daemon.start();
  expect((await statusOf(id)).resources!.linux).toMatchObject({ cpusetCpus: "0", hugepageLimits });
  const at = (v1: string, v2: string) => inside(id, `cat /sys/fs/cgroup/${isV2 ? v2 : v1}`);
  expect(await at("cpuset/cpuset.cpus", "cpuset.cpus")).toBe("0");
  if (hasHugePages) expect(await at("hugetlb/hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max")).toBe(String(4 << 20));
  expect(await inside(id, "grep Cpus_allowed_list /proc/1/status | cut -f2")).toBe("0");
});
