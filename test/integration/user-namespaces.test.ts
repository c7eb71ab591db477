import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { runtimeOptions } from "../../hack/support/runtime.cjs";
import { Crictl } from "../support/crictl";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage, makeLayer } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";

/** Pods with user namespaces, by the real crictl and a runtime that can map IDs. */
const hostUid = 131072;
const hostGid = 262144;
const uids = [{ container_id: 0, host_id: hostUid, length: 65536 }];
const gids = [{ container_id: 0, host_id: hostGid, length: 65536 }];
const mode = { pod: 0, container: 1, node: 2, target: 3 };
const ownProcesses = { pid: mode.container };
const mapped = { mode: mode.pod, uids, gids };

let registry: TestRegistry;
let daemon: TestDaemon;
let crictl: Crictl;
let image = "";

beforeAll(async () => {
  registry = await testRegistry();
  const files = makeLayer([
    { path: "data", type: "dir", uid: 1000, gid: 1001, mode: 0o750 },
    { path: "data/file", uid: 1000, gid: 1001, body: "of the image\n" },
    { path: "data/other", body: "of root\n" },
  ]);
  const third = makeLayer([{ path: "of-layer-3", body: "3\n" }]);
  image = await registry.push("test/mapped", busyboxImage({ Volumes: { "/data": {}, "/fresh": {} } }, files, third));
  daemon = await startDaemon({ registry: registry.url, options: { runtime: runtimeOptions() } });
  // the runtime walks to the root filesystem as a user of the pod
  fs.chmodSync(daemon.directory, 0o711);
  crictl = new Crictl(daemon);
  await crictl.run("pull", image);
}, 60_000);

afterAll(async () => {
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

let counter = 0;
interface Options {
  userns?: object;
  namespaces?: object;
  pod?: object;
  sandboxContext?: object;
}

function podFile({ userns = mapped, namespaces = ownProcesses, pod = {}, sandboxContext = {} }: Options = {}): string {
  const name = `pod-${++counter}`;
  const { linux, ...others } = pod as { linux?: object };
  const namespace_options = { ...namespaces, userns_options: userns };
  return crictl.file(`${name}.json`, {
    metadata: { name, namespace: "default", uid: `uid-${name}`, attempt: 0 },
    hostname: "mapped-0",
    log_directory: path.join(daemon.directory, "logs", name),
    linux: { ...linux, security_context: { namespace_options, ...sandboxContext } },
    ...others,
  });
}

const runPod = (options: Options = {}) => crictl.run("runp", podFile(options));

async function runContainer(pod: string, options: { context?: object; namespaces?: object; more?: object } = {}) {
  const name = `c-${++counter}`;
  const namespace_options = { ...ownProcesses, userns_options: mapped, ...options.namespaces };
  const config = crictl.file(`${name}.json`, {
    metadata: { name, attempt: 0 },
    image: { image },
    command: ["sleep", "1000"],
    log_path: `${name}.log`,
    linux: { security_context: { namespace_options, ...options.context } },
    ...options.more,
  });
  const sandbox = crictl.file("sandbox.json", { metadata: { name: "unused", namespace: "default", uid: "unused" } });
  const id = await crictl.run("create", "--no-pull", pod, config, sandbox);
  await crictl.run("start", id);
  return id;
}

const sh = (container: string, script: string) => crictl.run("exec", "-s", container, "sh", "-c", script);
const owner = (file: string) => {
  const { uid, gid } = fs.lstatSync(file);
  return [uid, gid];
};
const mountsBelow = (directory: string) =>
  fs
    .readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(directory));

test("info tells for which handlers pods can have them", async () => {
  const { runtimeHandlers } = await crictl.json<{
    runtimeHandlers: { name: string; features: Record<string, boolean> }[];
  }>("info");
  const can = (name: string) => runtimeHandlers.find((each) => (each.name ?? "") === name)?.features["user_namespaces"];
  expect(can("")).toBe(true);
  // what it says of crun holds, whichever release of it is here
  const { status, stdout, stderr } = await crictl.try("runp", "--runtime", "crun", podFile());
  expect(status === 0).toBe(can("crun") ?? false);
  if (status === 0) await crictl.run("rmp", "-f", stdout.trim());
  else expect(stderr).toMatch(/FailedPrecondition.*crun.*\(version .*\) cannot map/);
});

describe("a pod with a user namespace", () => {
  let pod = "";
  let container = "";
  let volume = "";
  let plain = "";

  beforeAll(async () => {
    volume = path.join(daemon.directory, "volume");
    plain = path.join(daemon.directory, "plain");
    for (const directory of [volume, plain]) {
      fs.mkdirSync(directory);
      fs.writeFileSync(path.join(directory, "file"), "of the host\n");
    }
    const sysctls = {
      "net.ipv4.ip_unprivileged_port_start": "80",
      "kernel.shm_rmid_forced": "1",
      "kernel.msgmax": "12345",
    };
    pod = await runPod({ pod: { linux: { sysctls } } });
    container = await runContainer(pod, {
      context: { capabilities: { add_capabilities: ["NET_ADMIN"] } },
      more: {
        mounts: [
          {
            container_path: "/volume",
            host_path: volume,
            uidMappings: uids,
            gidMappings: gids,
          },
          { container_path: "/plain", host_path: plain },
          { container_path: "/image", image: { image }, readonly: true },
          { container_path: "/image-part", image: { image }, image_sub_path: "data", readonly: true },
        ],
      },
    });
  }, 60_000);

  test("maps as it was asked for, and says so", async () => {
    expect((await sh(container, "cat /proc/self/uid_map")).trim().split(/\s+/)).toEqual(["0", `${hostUid}`, "65536"]);
    expect((await sh(container, "cat /proc/self/gid_map")).trim().split(/\s+/)).toEqual(["0", `${hostGid}`, "65536"]);
    const { status } = await crictl.json<{
      status: { linux: { namespaces: { options: { usernsOptions: unknown } } } };
    }>("inspectp", pod);
    expect(status.linux.namespaces.options.usernsOptions).toMatchObject({
      mode: "POD",
      uids: [{ hostId: hostUid, length: 65536 }],
    });
  });

  test("has a log with what the container said, and nothing that the runtime said", async () => {
    const talker = await runContainer(pod, { more: { command: ["sh", "-c", "echo hello; exec sleep 1000"] } });
    expect(await crictl.run("logs", talker)).toBe("hello");
    await crictl.run("rm", "-f", talker);
  });

  test("has the image's files with the owners that the image gives them", async () => {
    expect(await sh(container, "stat -c '%u %g' / /bin/busybox /image/data /image/data/file")).toBe(
      "0 0\n0 0\n1000 1001\n1000 1001",
    );
  });

  test("writes, removes and copies up as root of its own", async () => {
    await sh(container, "echo new >/new; chown 5:6 /new; echo more >>/of-layer-3; rm /etc/group; mkdir /dir");
    const snapshots = path.join(daemon.root, "snapshots");
    const upper = path.join(snapshots, container, "upper");
    expect(owner(upper)).toEqual([hostUid, hostGid]);
    expect(owner(path.join(upper, "new"))).toEqual([hostUid + 5, hostGid + 6]);
    expect(owner(path.join(upper, "of-layer-3"))).toEqual([hostUid, hostGid]);
    expect(owner(path.join(upper, "dir"))).toEqual([hostUid, hostGid]);
    expect(await sh(container, "cat /of-layer-3; ls /etc/group 2>&1 || true")).toContain("3\nmore\n");
  });

  test("has its own files, hostname, shared memory and sysctls", async () => {
    expect(await sh(container, "hostname; cat /etc/hostname")).toBe("mapped-0\nmapped-0");
    expect(await sh(container, "stat -c '%u %g' /etc/hosts /etc/hostname /etc/resolv.conf /dev/shm")).toBe(
      ["0 0", "0 0", "0 0", "0 0"].join("\n"),
    );
    await sh(container, "echo '10.9.8.7 other' >>/etc/hosts && echo x >/dev/shm/x");
    const values = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced";
    expect(await sh(container, `${values} /proc/sys/kernel/msgmax`)).toBe("80\n1\n12345");
    expect(fs.readFileSync("/proc/sys/kernel/msgmax", "utf8").trim()).not.toBe("12345");
  });

  test("has rights over its network, with an address in it and the loopback up", async () => {
    await sh(container, "ip link set dev lo mtu 1400 && ip route add 10.250.0.0/24 dev eth0");
    expect(await sh(container, "ip -o link show lo")).toMatch(/LOOPBACK,UP.* mtu 1400/);
    expect(await sh(container, "ip -o -4 addr show eth0")).toContain(`${daemon.subnet}.`);
  });

  test("maps a volume that has mappings, and leaves one without as it is", async () => {
    expect(await sh(container, "stat -c '%u %g' /volume/file /plain/file")).toBe("0 0\n65534 65534");
    await sh(container, "echo new >/volume/new && chown 7:8 /volume/new");
    expect(owner(path.join(volume, "new"))).toEqual([7, 8]);
    expect((await crictl.try("exec", "-s", container, "sh", "-c", "echo x >>/plain/file")).status).not.toBe(0);
  });

  test("has volumes of the image filled by their owners", async () => {
    expect(await sh(container, "stat -c '%u %g %a' /data /data/file /data/other /fresh")).toBe(
      "1000 1001 750\n1000 1001 644\n0 0 644\n0 0 755",
    );
    await sh(container, "echo x >/data/x && echo x >/fresh/x");
  });

  test("has images as volumes, whole and in part, mapped and read-only", async () => {
    expect(await sh(container, "stat -c '%u %g' /image/bin/busybox /image-part/file /image-part/other")).toBe(
      "0 0\n1000 1001\n0 0",
    );
    expect((await crictl.try("exec", "-s", container, "touch", "/image/x")).stderr).toMatch(/read-only/i);
  });

  test("runs other users, with a terminal too", async () => {
    const user = await runContainer(pod, { context: { run_as_user: { value: 1000 }, run_as_group: { value: 1001 } } });
    expect(await sh(user, "id -u; cat /data/file")).toBe("1000\nof the image");
    const terminal = await runContainer(pod, { more: { tty: true, stdin: true, command: ["sh"] } });
    expect(await sh(terminal, "stat -L -c %u /dev/console /proc/1/fd/0")).toBe("0\n0");
  });

  test("goes on over a restart of the daemon, and leaves nothing", async () => {
    await daemon.stop();
    await daemon.start();
    expect(await sh(container, "cat /new")).toBe("new");
    await crictl.run("stopp", pod);
    await crictl.run("rmp", pod);
    expect(mountsBelow(pod)).toEqual([]);
    expect(mountsBelow(container)).toEqual([]);
    expect(fs.existsSync(path.join(daemon.root, "snapshots", container))).toBe(false);
  }, 30_000);
});

test("containers of a pod that shares its processes see one another's", async () => {
  const pod = await runPod({ namespaces: { pid: mode.pod } });
  const context = { namespaces: { pid: mode.pod } };
  const first = await runContainer(pod, context);
  const second = await runContainer(pod, { ...context, more: { command: ["sleep", "2000"] } });
  expect(await sh(first, "ps -o args")).toContain("sleep 2000");
  expect(await sh(second, "ps -o args")).toContain("/pause");
  await crictl.run("rmp", "-f", pod);
  expect(mountsBelow(pod)).toEqual([]);
});

test("a privileged container has all of its pod's rights and none of the host's", async () => {
  const pod = await runPod({ sandboxContext: { privileged: true } });
  const container = await runContainer(pod, { context: { privileged: true } });
  await sh(container, "mount -t tmpfs tmpfs /tmp && echo x >/tmp/x");
  expect((await crictl.try("exec", "-s", container, "sh", "-c", "echo 1 >/proc/sys/kernel/panic")).status).not.toBe(0);
  await crictl.run("rmp", "-f", pod);
});

describe("refused are", () => {
  const line = uids[0]!;
  const refusals: [string, Options, RegExp][] = [
    [
      "two lines of users",
      { userns: { ...mapped, uids: [line, { ...line, container_id: 65536 }] } },
      /uids has 2 lines/,
    ],
    ["no line of groups", { userns: { ...mapped, gids: [] } }, /gids has 0 lines/],
    [
      "an ID 0 without mapping",
      { userns: { ...mapped, gids: [{ ...line, container_id: 1 }] } },
      /does not map the ID 0/,
    ],
    ["an empty range", { userns: { ...mapped, uids: [{ ...line, length: 0 }] } }, /no range of IDs/],
    ["mode CONTAINER", { userns: { mode: mode.container } }, /neither POD nor NODE/],
    ["mode TARGET", { userns: { mode: mode.target } }, /neither POD nor NODE/],
    ["the host's network", { namespaces: { network: mode.node } }, /host's network namespace/],
    ["the host's processes and IPC", { namespaces: { pid: mode.node, ipc: mode.node } }, /host's PID, IPC namespace/],
    ["a sysctl with a wrong value", { pod: { linux: { sysctls: { "kernel.msgmax": "x" } } } }, /sysctls: /],
  ];
  test.each(refusals)("%s", async (_, options, reason) => {
    const { status, stderr } = await crictl.try("runp", podFile(options));
    expect(status).not.toBe(0);
    expect(stderr).toMatch(reason);
    expect(stderr).toContain("InvalidArgument");
    expect(mountsBelow(`${daemon.state}/sandboxes`)).toEqual([]);
  });

  test("a container with other mappings than its pod", async () => {
    const pod = await runPod();
    const other = { ...mapped, uids: [{ container_id: 0, host_id: 500000, length: 65536 }] };
    await expect(runContainer(pod, { namespaces: { userns_options: other } })).rejects.toThrow(/mappings/);
    await expect(runContainer(pod, { namespaces: { userns_options: undefined } })).rejects.toThrow(/user namespace/);
    const image_mount = {
      container_path: "/i",
      image: { image },
      readonly: true,
      uidMappings: gids,
      gidMappings: gids,
    };
    await expect(runContainer(pod, { more: { mounts: [image_mount] } })).rejects.toThrow(/not those of its pod/);
    await crictl.run("rmp", "-f", pod);
  });
});
