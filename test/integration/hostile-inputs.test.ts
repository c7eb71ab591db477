import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { ContainerConfig, Init } from "../../api/messages";
import { Client } from "../../cri/client/client";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage, makeLayer, type TarEntry } from "../support/images";
import { eventually, podCalls } from "../support/pods";
import { type TestRegistry, testRegistry } from "../support/registry";
import { uniqueId } from "../support/unique";

/** Images and requests by which others have got out of a container, or kept a runtime from its work. */
let registry: TestRegistry;
let daemon: TestDaemon;
let client: Client;
let image = "";
/** A directory of the host that no container may reach. */
let victim = "";

const handlers = ["crun", "runc"];
/** One of each handler, for all tests that need no other. */
const pods: Record<string, string> = {};

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  const allowed = Object.fromEntries(handlers.map((name) => [name, { allowed_annotations: ["*"] }]));
  daemon = await startDaemon({ registry: registry.url, options: { runtime: { handlers: allowed } } });
  client = new Client(daemon.socket);
  await client.image("PullImage", { image: { image } });
  for (const handler of handlers) pods[handler] = await runPod({ hostname: "web-0" }, handler);
  victim = path.join(daemon.directory, "victim");
  fs.mkdirSync(victim);
  for (const name of ["passwd", "group", "hosts", "hostname", "resolv.conf", "mtab"])
    fs.writeFileSync(path.join(victim, name), "intruder:x:4321:4321::/:/bin/sh\n");
}, 60_000);

/** The path of the victim as a link of an image would name it, if links led out. */
const hostPath = () => `/../../../../../..${victim}`;

const victimFiles = () =>
  fs.readdirSync(victim).map((name) => [name, fs.readFileSync(path.join(victim, name), "utf8")].join(" "));
let untouched: string[] | undefined;

afterEach(async () => {
  const { containers } = await client.runtime("ListContainers", {});
  await Promise.all(containers.map(({ id }) => client.runtime("RemoveContainer", { containerId: id })));
  const { items } = await client.runtime("ListPodSandbox", {});
  const others = items.filter(({ id }) => !Object.values(pods).includes(id));
  await Promise.all(others.map(({ id }) => client.runtime("RemovePodSandbox", { podSandboxId: id })));
  expect(fs.readdirSync(path.join(daemon.state, "containers"))).toEqual([]);
  expect(fs.readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(victim);
  untouched ??= victimFiles();
  expect(victimFiles()).toEqual(untouched);
});

afterAll(async () => {
  if (client) await removePods();
  client?.close();
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

const { podConfig, runPod, createContainer, runContainer, statusOf, stop, inside, removePods, processesOf } = podCalls(
  () => ({
    client,
    daemon,
    image,
  }),
);

/** An image of busybox with further files, or a tar archive of them; pulled. */
async function pulled(entries: TarEntry[] | Buffer, config: Record<string, unknown> = {}): Promise<string> {
  const name = await registry.push(`test/hostile-${uniqueId()}`, busyboxImage(config, makeLayer(entries)));
  await client.image("PullImage", { image: { image: name } });
  return name;
}

const madeOf = (name: string): Init<ContainerConfig> => ({ image: { image: name } });
const env = (key: string, value: string) => ({ key, value: Buffer.from(value) });
const invalid = { code: "InvalidArgument" };
const ofDaemon = (file: string) => fs.readFileSync(`/proc/${daemon.child!.pid}/${file}`, "utf8");
/** The most memory that the daemon has had so far. */
const memoryPeak = () => Number(/^VmHWM:\s+(\d+)/m.exec(ofDaemon("status"))![1]) * 1024;
/** What the daemon has read with read(2) and its like so far. */
const bytesRead = () => Number(/^rchar: (\d+)/m.exec(ofDaemon("io"))![1]);

describe("an image's account files", () => {
  test.each<[string, TarEntry]>([
    ["a FIFO", { path: "etc/passwd", type: "fifo" }],
    ["a directory", { path: "etc/passwd", type: "dir" }],
    ["a device", { path: "etc/passwd", type: "char", major: 1, minor: 5 }],
    ["a link in a circle", { path: "etc/passwd", target: "passwd" }],
    ["a link to a process's file", { path: "etc/passwd", target: "/proc/self/fd/0" }],
  ])("%s in the place of /etc/passwd is refused, or is none", async (_, entry) => {
    const pod = pods["crun"]!;
    const name = await pulled([entry]);
    const asked = createContainer(pod, { ...madeOf(name), linux: { securityContext: { runAsUsername: "root" } } });
    await expect(asked).rejects.toMatchObject({ ...invalid, message: expect.stringContaining("/etc/passwd") });
  });

  test("that link to the host's are looked for in the image", async () => {
    const name = await pulled([
      { path: "etc/passwd", target: `${hostPath()}/passwd` },
      { path: "etc/group", target: `${hostPath()}/group` },
    ]);
    const asked = createContainer(pods["crun"]!, {
      ...madeOf(name),
      linux: { securityContext: { runAsUsername: "intruder" } },
    });
    await expect(asked).rejects.toMatchObject({
      ...invalid,
      message: expect.stringContaining('the user "intruder" is not in the container\'s /etc/passwd'),
    });
  });

  test.each(["passwd", "group"])("of 1 GiB are refused without being read: /etc/%s", async (file) => {
    const directory = fs.mkdtempSync(path.join(daemon.directory, "sparse-"));
    fs.mkdirSync(path.join(directory, "etc"));
    fs.writeFileSync(path.join(directory, "etc/passwd"), "app:x:1000:1000::/:/bin/sh\n");
    fs.writeFileSync(path.join(directory, "etc", file), "");
    fs.truncateSync(path.join(directory, "etc", file), 2 ** 30);
    const archive = execFileSync("tar", ["-C", directory, "--sparse", "-cf", "-", "etc"]);
    const pod = pods["crun"]!;
    const name = await pulled(archive, { User: "app" });
    const before = { memory: memoryPeak(), read: bytesRead() };
    await expect(createContainer(pod, madeOf(name))).rejects.toMatchObject({
      ...invalid,
      message: expect.stringContaining(`/etc/${file} of the container has more than 10485760 bytes`),
    });
    expect(bytesRead() - before.read).toBeLessThan(16 << 20);
    expect(memoryPeak() - before.memory).toBeLessThan(32 << 20);
  });

  test.each(["2147483648", "4294967296", "-1", "a:b:c", "root:-1", "0:4294967296"])(
    "a user %s is refused, though the image has an account of that name",
    async (user) => {
      const [account = "", group = ""] = user.split(":");
      const name = await pulled(
        [
          { path: "etc/passwd", body: `root:x:0:0::/:/bin/sh\n${account}:x:0:0::/:/bin/sh\n` },
          { path: "etc/group", body: `root:x:0:\n${group || account}:x:0:\n` },
        ],
        { User: user },
      );
      await expect(createContainer(pods["crun"]!, madeOf(name))).rejects.toMatchObject(invalid);
    },
  );
});

describe.each(handlers)("under %s", (handler) => {
  const pod = () => pods[handler]!;

  test("the pod's files lie in the image's place of them, whatever links lie there", async () => {
    const links = ["hosts", "hostname", "resolv.conf", "mtab"];
    const name = await pulled(links.map((file) => ({ path: `etc/${file}`, target: `${hostPath()}/${file}` })));
    const id = await runContainer(pod(), madeOf(name));
    expect(await inside(id, "cat /etc/hostname")).toBe("web-0");
    expect(await inside(id, "cat /etc/hosts")).toBe(fs.readFileSync("/etc/hosts", "utf8").trim());
    expect(await inside(id, "cat /etc/mtab 2>&1")).toMatch(/No such file/);
  });

  test("an /etc that is a link to the host is refused, or one of the image's", async () => {
    const name = await pulled([{ path: "etc", target: hostPath() }]);
    const made = createContainer(pod(), madeOf(name));
    const id = await made.catch((error: Error) => error);
    // crun 1.8 makes no directory where a link leads to none
    if (id instanceof Error) return expect(id.message).toMatch(/openat2 `etc`/);
    await client.runtime("StartContainer", { containerId: id });
    expect(await inside(id, "cat /etc/hostname")).toBe("web-0");
  });

  test.each([
    ["proc", "/etc"],
    ["sys", "/proc"],
    ["proc", "/proc/self/root"],
  ])("a /%s that is a link to %s is refused", async (link, target) => {
    const name = await pulled([{ path: link, target }]);
    await expect(createContainer(pod(), madeOf(name))).rejects.toThrow(/\/proc|\/sys/);
  });

  test("a FIFO in the place of /etc/group, which some runtimes read, is refused whoever runs there", async () => {
    const name = await pulled([{ path: "etc/group", type: "fifo" }]);
    const securityContext = { runAsUser: { value: 7n }, supplementalGroupsPolicy: 1 };
    await expect(createContainer(pod(), { ...madeOf(name), linux: { securityContext } })).rejects.toMatchObject({
      ...invalid,
      message: expect.stringContaining("/etc/group"),
    });
  });

  test("a container that puts a FIFO in the place of its account files holds up its own commands alone", async () => {
    const inPod = pod();
    const [id, other] = [await runContainer(inPod), await runContainer(inPod)];
    await inside(id, "rm -f /etc/passwd /etc/group; mkfifo /etc/passwd /etc/group");
    const stuck = client.runtime("ExecSync", { containerId: id, cmd: ["true"], timeout: 1n });
    expect(await inside(other, "echo free")).toBe("free");
    const outcome = await stuck.catch((error) => error.code);
    expect(["DeadlineExceeded", expect.objectContaining({ exitCode: 0 })]).toContainEqual(outcome);
    await stop(id, 0);
    expect(await statusOf(id)).toMatchObject({ exitCode: 137 });
  });

  test.each(["/proc/self/fd/7", "/proc/self/fd/7/../../..", "/wd", "/wd/sub"])(
    "a working directory that leads to an open file is refused: %s",
    async (workingDir) => {
      const name = await pulled([{ path: "wd", target: "/proc/self/fd/7" }]);
      await expect(createContainer(pod(), { ...madeOf(name), workingDir })).rejects.toMatchObject(invalid);
      const byImage = await pulled([{ path: "wd", target: "/proc/self/fd/7" }], { WorkingDir: workingDir });
      await expect(createContainer(pod(), madeOf(byImage))).rejects.toMatchObject(invalid);
    },
  );

  test("nothing of the daemon's that is open reaches a container, its commands or its monitor", async () => {
    const id = await runContainer(pod());
    const open = "cd /proc/self/fd && for f in *; do readlink $f; done | grep -v -e '^pipe:' -e '^/dev/null$' -e /fd$";
    expect(await inside(id, `${open} || true`)).toBe("");
    expect(await inside(id, `${open.replace("self", "1")} || true`)).toBe("");
    const { monitorPid } = await processesOf(id);
    const held = filesOf(daemon.child!.pid!).filter((file) => /^(socket|pipe):/.test(file));
    expect(held.length).toBeGreaterThan(5);
    expect(filesOf(monitorPid).filter((file) => held.includes(file))).toEqual([]);
  });

  test("a container and its commands have no inheritable capabilities", async () => {
    const id = await runContainer(pod());
    const none = "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000";
    for (const process of ["1", "self"])
      expect(await inside(id, `grep -E 'CapInh|CapAmb' /proc/${process}/status`)).toBe(none);
  });

  test("annotations that order something of the host are dropped, though the configuration lets all through", async () => {
    const touched = path.join(daemon.directory, `touched-${handler}`);
    const annotations = {
      "run.oci.hooks.stdout": touched,
      "run.oci.hooks.stderr": touched,
      "run.oci.handler": "krun",
      "run.oci.systemd.subgroup": "x",
      "org.systemd.property.TasksMax": "1",
      "org.systemd.property.MemoryMax": "uint64 1",
      "io.kubernetes.cri.sandbox-id": "0",
      "io.kubernetes.cri.container-type": "sandbox",
      harmless: "yes",
    };
    const id = await runContainer(await runPod({ annotations }, handler), { annotations });
    const spec = JSON.parse(fs.readFileSync(path.join(daemon.state, "containers", id, "config.json"), "utf8"));
    const own = Object.keys(spec.annotations).filter((key) => !key.startsWith("io.kubernetes.cri."));
    expect(own).toEqual(["harmless"]);
    expect(spec.annotations).toMatchObject({ "io.kubernetes.cri.container-type": "container" });
    expect(spec.annotations["io.kubernetes.cri.sandbox-id"]).toMatch(/^[0-9a-f]{64}$/);
    expect(spec.hooks).toBeUndefined();
    expect(fs.existsSync(touched)).toBe(false);
    expect((await statusOf(id)).annotations).toEqual(annotations);
  });
});

/** What each open descriptor of a process is. */
function filesOf(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  return fs.readdirSync(directory).flatMap((fd) => {
    try {
      return [fs.readlinkSync(path.join(directory, fd))];
    } catch {
      return [];
    }
  });
}

test("the daemon has nothing open that a child would inherit, but its standard streams", async () => {
  const pod = pods["crun"]!;
  const id = await runContainer(pod);
  const directory = `/proc/${daemon.child!.pid}/fdinfo`;
  const left = new Set<string>();
  let looks = 0;
  let busy = true;
  const work = Promise.all([
    ...Array.from({ length: 10 }, () => inside(id, "true")),
    ...Array.from({ length: 4 }, () => runContainer(pod, { command: ["true"] })),
    runPod(),
  ]).finally(() => {
    busy = false;
  });
  while (busy) {
    looks++;
    for (const fd of fs.readdirSync(directory).filter((name) => Number(name) > 2)) {
      try {
        const flags = /^flags:\s+(\d+)/m.exec(fs.readFileSync(path.join(directory, fd), "utf8"))![1]!;
        if ((Number.parseInt(flags, 8) & 0o2000000) === 0) left.add(fs.readlinkSync(`${directory.slice(0, -4)}/${fd}`));
      } catch {
        // closed meanwhile
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await work;
  expect(looks).toBeGreaterThan(10);
  expect([...left]).toEqual([]);
});

test("labels of an image that look like the runtime's own are told to nobody and change nothing", async () => {
  const forged = {
    "io.kubernetes.cri.sandbox-id": "0".repeat(64),
    "io.kubernetes.cri.container-type": "sandbox",
    "io.cri-containerd.image": "managed",
    "io.cri-containerd.pinned": "pinned",
    "io.kubernetes.container.logpath": "/etc/shadow",
    "org.systemd.property.TasksMax": "1",
    "berth.io/pinned": "true",
  };
  const name = await pulled([{ path: "own", body: uniqueId() }], { Labels: forged, Annotations: forged });
  const { image: known } = await client.image("ImageStatus", { image: { image: name } });
  expect(known).toMatchObject({ pinned: false });
  const id = await runContainer(pods["crun"]!, madeOf(name));
  const { labels, annotations, logPath } = await statusOf(id);
  expect([labels, annotations, logPath.startsWith(daemon.directory)]).toEqual([{}, {}, true]);
  const bundle = path.join(daemon.state, "containers", id);
  expect(fs.readFileSync(path.join(bundle, "config.json"), "utf8")).not.toMatch(/cri-containerd|TasksMax|berth\.io/);
  await client.image("RemoveImage", { image: { image: name } });
  expect((await client.image("ImageStatus", { image: { image: name } })).image).toBeNull();
});

describe("a log", () => {
  test.each(["../x.log", "/etc/x.log", "a/../../x.log", "a\0b"])("at %j is refused", async (logPath) => {
    await expect(createContainer(pods["crun"]!, { logPath })).rejects.toMatchObject(invalid);
  });

  test.each([
    ["a link in its place", "0.log", (directory: string) => fs.symlinkSync(target(), path.join(directory, "0.log"))],
    ["a link on the way", "in/0.log", (directory: string) => fs.symlinkSync(victim, path.join(directory, "in"))],
    ["a FIFO", "0.log", (directory: string) => execFileSync("mkfifo", [path.join(directory, "0.log")])],
  ])("%s is refused", async (_, logPath, put) => {
    const logDirectory = path.join(daemon.directory, "logs", uniqueId());
    const pod = await runPod({ logDirectory });
    put(logDirectory);
    await expect(createContainer(pod, { logPath })).rejects.toMatchObject(invalid);
    expect(fs.existsSync(target())).toBe(false);
  });

  test.each(["0.log", "0.log.tmp"])("is not reopened where a link lies at %s", async (place) => {
    const logDirectory = path.join(daemon.directory, "logs", uniqueId());
    const command = ["sh", "-c", "while :; do echo line; sleep 0.05; done"];
    const id = await runContainer(await runPod({ logDirectory }), { logPath: "0.log", command });
    const log = path.join(logDirectory, "0.log");
    fs.renameSync(log, `${log}.1`);
    fs.symlinkSync(path.join(victim, "hosts"), path.join(logDirectory, place));
    await expect(client.runtime("ReopenContainerLog", { containerId: id })).rejects.toMatchObject(invalid);
    fs.rmSync(path.join(logDirectory, place));
    await client.runtime("ReopenContainerLog", { containerId: id });
    const text = await eventually(
      () => fs.readFileSync(log, "utf8"),
      (read) => read !== "",
    );
    expect(text).toMatch(/ stdout F line/);
  });

  const target = () => path.join(victim, "new");
});

describe("a request", () => {
  const long = "x".repeat(10 << 10);

  test.each(["../..", "..", ".", "a/b", "a\0b", long])("with a name %j is refused", async (text) => {
    const metadata = podConfig().metadata!;
    for (const field of ["name", "namespace", "uid"]) {
      const config = podConfig({ metadata: { ...metadata, [field]: text } });
      await expect(client.runtime("RunPodSandbox", { config })).rejects.toMatchObject(invalid);
    }
    await expect(createContainer(pods["crun"]!, { metadata: { name: text } })).rejects.toMatchObject(invalid);
    expect(fs.readdirSync(path.join(daemon.state, "sandboxes"))).toHaveLength(handlers.length);
  });

  test("for an ID that is none, however it looks, is answered in few words and touches no file", async () => {
    const ids = ["..", "../../etc", "/", "a\0b", "\u001b[2J", long.repeat(10), `${"0".repeat(64)}/../x`];
    for (const id of ids) {
      for (const asked of [
        client.runtime("ContainerStatus", { containerId: id }),
        client.runtime("StartContainer", { containerId: id }),
        client.runtime("PodSandboxStatus", { podSandboxId: id }),
        client.runtime("Exec", { containerId: id, cmd: ["true"], stdout: true }),
        client.runtime("CreateContainer", { podSandboxId: id, config: { metadata: { name: "c" }, image: { image } } }),
      ]) {
        const error = await asked.then(
          () => undefined,
          (reason: Error & { code?: string }) => reason,
        );
        expect(error).toMatchObject({ code: "NotFound" });
        expect(Buffer.byteLength(error!.message)).toBeLessThanOrEqual(4096);
        expect(error!.message).not.toMatch(/[\u0000-\u001f]/);
      }
      await client.runtime("RemoveContainer", { containerId: id });
      await client.runtime("RemovePodSandbox", { podSandboxId: id });
    }
  });

  test.each(["../..", "/", "//", "/..", "/a/../..", "/kubepods.slice/../..", "/x.slice", "/a\n", "/a\0"])(
    "for the parent cgroup %j is refused",
    async (cgroupParent) => {
      await expect(runPod({ linux: { cgroupParent } })).rejects.toMatchObject({
        ...invalid,
        message: expect.stringContaining("cgroup_parent"),
      });
    },
  );

  test.each([
    ["kernel.core_pattern", "|/bin/x"],
    ["kernel.shm_rmid_forced", "1+kernel.core_pattern=|/x"],
    ["kernel.shm_rmid_forced", "1\nkernel.core_pattern=|/x"],
    ["net/../kernel/core_pattern", "|/x"],
    ["net.ipv4.ip_forward\0", "1"],
    ["vm.panic_on_oom", "1"],
  ])("for the sysctl %j = %j is refused", async (key, value) => {
    const before = fs.readFileSync("/proc/sys/kernel/core_pattern", "utf8");
    await expect(runPod({ linux: { sysctls: { [key]: value } } })).rejects.toMatchObject(invalid);
    expect(fs.readFileSync("/proc/sys/kernel/core_pattern", "utf8")).toBe(before);
  });

  test.each<[string, Init<ContainerConfig>, Record<string, unknown>]>([
    ["a home directory with a line of its own", { envs: [env("HOME", "/x\nroot::0:0::/:/bin/sh")] }, {}],
    ["a name with a newline", { envs: [env("A\nB", "c")] }, {}],
    ["a NUL", { envs: [env("A", "b\0c")] }, {}],
    ["an image's entry without =", {}, { Env: ["NOVALUE"] }],
    ["an image's entry with a newline", {}, { Env: ["A=b\nroot::0:0::/:/bin/sh"] }],
    ["an image's entry without a name", {}, { Env: ["=x"] }],
    ["an image's home directory with a colon", {}, { Env: ["HOME=/x:/bin/sh"] }],
  ])("for an environment with %s is refused", async (_, over, config) => {
    const name = Object.keys(config).length > 0 ? await pulled([{ path: "own", body: uniqueId() }], config) : image;
    await expect(createContainer(pods["crun"]!, { ...madeOf(name), ...over })).rejects.toMatchObject({
      ...invalid,
      message: expect.stringMatching(/environment/),
    });
  });

  test("for a command that prints without end is answered with its limit, and the command is dead", async () => {
    const id = await runContainer(pods["crun"]!);
    const before = memoryPeak();
    const cmd = ["sh", "-c", "while :; do cat /dev/zero; cat /dev/zero >&2; done"];
    await expect(client.runtime("ExecSync", { containerId: id, cmd })).rejects.toMatchObject({
      code: "ResourceExhausted",
      message: expect.stringContaining("was killed"),
    });
    expect(await inside(id, "ps")).not.toContain("/dev/zero");
    expect(memoryPeak() - before).toBeLessThan(100 << 20);
  });
});
