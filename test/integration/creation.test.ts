import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import {
  type ContainerEventResponse,
  ContainerEventType,
  type ImageFsInfoResponse,
  NamespaceMode,
} from "../../api/messages";
import { Client } from "../../cri/client/client";
import { type TestDaemon, testDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { eventually, podCalls } from "../support/pods";
import { type TestRegistry, testRegistry } from "../support/registry";
import { serverStream } from "../support/server-stream";
import { temporaryDirectory, uniqueId } from "../support/unique";

/** What is seen of pods and containers while they are made, and what is left when that fails. */
let registry: TestRegistry;
let daemon: TestDaemon;
let client: Client;
let image = "";
let directory = "";
let usageAtFirst: ImageFsInfoResponse;

/** A network plugin that waits for as long as `hold` is there, fails where `fail` is, and writes to `calls`. */
const gate = (at: string) => `#!/bin/sh
echo "$CNI_COMMAND $CNI_NETNS" >>${at}/calls
[ "$CNI_COMMAND" = ADD ] || exit 0
result=$(sed 's/.*"prevResult"://; s/}$//')
while [ -e ${at}/hold ]; do touch ${at}/held; sleep 0.02; done
[ ! -e ${at}/fail ] || { echo '{"code":7,"msg":"the gate is shut"}'; exit 1; }
printf '%s' "$result"
`;

/** A runtime whose hooks fail once the container is made, as those that the runtime spec has before the start. */
const failingRuntime = `#!/bin/sh
case " $* " in
*" create "* | *" run "*) runc "$@" && { echo "the hook has failed" >&2; exit 1; } ;;
*) exec runc "$@" ;;
esac
`;

/** A runtime that waits for as long as `hold` is there before it makes a container. */
const heldRuntime = (at: string) => `#!/bin/sh
case " $* " in
*" create "*) while [ -e ${at}/hold ]; do touch ${at}/held; sleep 0.02; done ;;
esac
exec runc "$@"
`;

const at = (name: string) => path.join(directory, name);

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  directory = temporaryDirectory();
  fs.writeFileSync(at("gate"), gate(directory), { mode: 0o755 });
  fs.writeFileSync(at("failing-runc"), failingRuntime, { mode: 0o755 });
  fs.writeFileSync(at("held-runc"), heldRuntime(directory), { mode: 0o755 });
  const cni = { bin_dirs: [directory, "/usr/lib/cni"] };
  const runtime = { handlers: { failing: { path: at("failing-runc") }, held: { path: at("held-runc") } } };
  daemon = testDaemon({ registry: registry.url, options: { cni, runtime } });
  configure({ plugins: (plugins) => [...plugins, { type: "gate" }] });
  await daemon.start();
  client = new Client(daemon.socket);
  usageAtFirst = await client.image("ImageFsInfo", {});
  await client.image("PullImage", { image: { image } });
}, 60_000);

afterEach(async () => {
  for (const name of ["hold", "held", "fail"]) fs.rmSync(at(name), { force: true });
  await removePods();
  fs.rmSync(at("calls"), { force: true });
});

afterAll(async () => {
  client?.close();
  await daemon?.remove();
  await registry?.stop();
  if (directory) fs.rmSync(directory, { recursive: true });
}, 60_000);

const { podConfig, containerConfig, create, runPod, createContainer, runContainer, podStatusOf, inside, removePods } =
  podCalls(() => ({
    client,
    daemon,
    image,
  }));

interface NetworkChange {
  name?: string;
  plugins(plugins: { type: string; ipam: object }[]): object[];
}

/** Changes the pod network's configuration. */
function configure({ name = daemon.network, plugins }: NetworkChange): void {
  const file = path.join(daemon.confDir, fs.readdirSync(daemon.confDir)[0]!);
  const list = JSON.parse(fs.readFileSync(file, "utf8"));
  fs.writeFileSync(file, JSON.stringify({ ...list, name, plugins: plugins(list.plugins) }));
}

const isHeld = () =>
  eventually(
    () => fs.existsSync(at("held")),
    (held) => held,
  );
const sandboxes = async () => (await client.runtime("ListPodSandbox", {})).items.map(({ id }) => id);
const containers = async () => (await client.runtime("ListContainers", {})).containers.map(({ id }) => id);
const types = Object.keys(ContainerEventType).map((name) => name.split("_")[1]);

/** What events tell until `stop` is called, and what PodSandboxStatus said as each came. */
function followEvents() {
  const leave = new AbortController();
  const seen: string[] = [];
  const call = { socket: daemon.socket, service: "RuntimeService", method: "GetContainerEvents" } as const;
  const ended = (async () => {
    for await (const event of serverStream<ContainerEventResponse>({ ...call, signal: leave.signal })) {
      const known = await podStatusOf(event.containerId).catch((error) => error);
      seen.push(`${types[event.containerEventType]} ${known.code ?? (known.state === 0 ? "READY" : "NOTREADY")}`);
    }
  })();
  const stop = async () => {
    leave.abort();
    await ended;
  };
  return { seen, stop };
}

test("ImageFsInfo() answers on a node that has no image yet", () => {
  expect(usageAtFirst.imageFilesystems).toHaveLength(1);
  expect(usageAtFirst.containerFilesystems).toHaveLength(1);
});

describe("a pod", () => {
  /** Neither on the disk nor in the kernel. */
  function expectNoTrace(): void {
    expect(daemon.allocatedAddresses()).toEqual([]);
    expect(fs.readdirSync(path.join(daemon.state, "sandboxes"))).toEqual([]);
    expect(fs.readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(`${daemon.state}/sandboxes/`);
  }

  test("is in no list and tells no event while its network is made, and is known once an event tells of it", async () => {
    const events = followEvents();
    fs.writeFileSync(at("hold"), "");
    const making = runPod();
    try {
      expect(await isHeld()).toBe(true);
      expect([await sandboxes(), events.seen]).toEqual([[], []]);
      fs.rmSync(at("hold"));
      const podSandboxId = await making;
      expect(await sandboxes()).toEqual([podSandboxId]);
      await client.runtime("StopPodSandbox", { podSandboxId });
      await client.runtime("RemovePodSandbox", { podSandboxId });
      await eventually(
        () => events.seen,
        ({ length }) => length >= 4,
      );
      expect(events.seen).toEqual(["CREATED READY", "STARTED READY", "STOPPED NOTREADY", "DELETED NotFound"]);
    } finally {
      await events.stop();
    }
  });

  test("whose network fails leaves nothing and tells nothing, and a retry makes it", async () => {
    const events = followEvents();
    const request = { config: podConfig() };
    fs.writeFileSync(at("hold"), "");
    fs.writeFileSync(at("fail"), "");
    try {
      const refused = expect(client.runtime("RunPodSandbox", request)).rejects.toThrow("the gate is shut");
      expect(await isHeld()).toBe(true);
      fs.rmSync(at("hold"));
      await refused;
      expect([await sandboxes(), events.seen]).toEqual([[], []]);
    } finally {
      await events.stop();
    }
    expectNoTrace();
    fs.rmSync(at("fail"));
    const { podSandboxId } = await client.runtime("RunPodSandbox", request);
    expect(await sandboxes()).toEqual([podSandboxId]);
  });

  test("whose process for the shared PID namespace fails leaves nothing, its network is given back", async () => {
    const linux = { securityContext: { namespaceOptions: { pid: NamespaceMode.POD } } };
    await expect(runPod({ linux }, "failing")).rejects.toThrow("failing run failed");
    expect(await sandboxes()).toEqual([]);
    expectNoTrace();
    expect(fs.globSync(`${daemon.state}/runtimes/failing/*`)).toEqual([]);
  });

  test("whose making a crash cut off is gone after the start, with its address, and a retry makes it", async () => {
    const request = { config: podConfig() };
    fs.writeFileSync(at("hold"), "");
    const making = client.runtime("RunPodSandbox", request).catch((error) => error.code);
    expect(await isHeld()).toBe(true);
    await daemon.kill();
    expect(await making).toBe("Unavailable");
    expect(daemon.allocatedAddresses()).toHaveLength(1);
    fs.rmSync(at("hold"));
    await daemon.start();
    expect(await sandboxes()).toEqual([]);
    expectNoTrace();
    const { podSandboxId } = await client.runtime("RunPodSandbox", request);
    expect(await sandboxes()).toEqual([podSandboxId]);
  });
});

test("a pod whose network namespace is gone is stopped by a DEL with none", async () => {
  const podSandboxId = await runPod();
  const netns = path.join(daemon.state, "sandboxes", podSandboxId, "ns/net");
  expect(fs.readFileSync(at("calls"), "utf8")).toBe(`ADD ${netns}\n`);
  execFileSync("umount", [netns]);
  await client.runtime("StopPodSandbox", { podSandboxId });
  expect(fs.readFileSync(at("calls"), "utf8")).toBe(`ADD ${netns}\nDEL \n`);
  expect(daemon.allocatedAddresses()).toEqual([]);
});

test("a container whose making a crash cut off is gone after the start, with all its mounts, and a retry makes it", async () => {
  const podSandboxId = await runPod({}, "held");
  const mounts = [{ containerPath: "/image", image: { image }, readonly: true }];
  const config = containerConfig({ mounts });
  fs.writeFileSync(at("hold"), "");
  const making = create(podSandboxId, config).catch((error) => error.code);
  expect(await isHeld()).toBe(true);
  await daemon.kill();
  expect(await making).toBe("Unavailable");
  await daemon.start();
  fs.rmSync(at("hold"));
  expect(await containers()).toEqual([]);
  expect(fs.readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(`${daemon.state}/containers/`);
  expect(fs.readdirSync(path.join(daemon.state, "containers"))).toEqual([]);
  const id = await create(podSandboxId, config);
  expect(await containers()).toEqual([id]);
});

test("a container whose hook fails leaves nothing and tells nothing", async () => {
  const cgroupParent = `/berth-${uniqueId()}`;
  const events = followEvents();
  fs.writeFileSync(at("hold"), "");
  const running = runPod({ linux: { cgroupParent } }, "failing");
  try {
    expect(await isHeld()).toBe(true);
    fs.rmSync(at("hold"));
    await expect(createContainer(await running)).rejects.toThrow("the hook has failed");
    expect(await containers()).toEqual([]);
    expect(events.seen).toEqual(["CREATED READY", "STARTED READY"]);
  } finally {
    await events.stop();
  }
  const left = ["containers", "exits", "runtimes/failing"].flatMap((name) => fs.globSync(`${daemon.state}/${name}/*`));
  expect(left).toEqual([]);
  expect(fs.globSync(`${daemon.root}/{snapshots,volumes}/*`)).toEqual([]);
  expect(fs.readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(`${daemon.state}/containers/`);
  expect(fs.globSync([`/sys/fs/cgroup/*${cgroupParent}/*/`, `/sys/fs/cgroup${cgroupParent}/*/`])).toEqual([]);
  expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(`${daemon.state}/containers/`);
});

describe("addresses", () => {
  // no zero in front, which addresses are told without
  const prefix = `fd${uniqueId().slice(0, 2)}:1${uniqueId().slice(0, 3)}`;
  const networkName = async () => {
    const { info } = await client.runtime("Status", { verbose: true });
    return JSON.parse(info["network"]!).name as string;
  };

  test.each([
    ["IPv4", [4, 6]],
    ["IPv6", [6, 4]],
  ])(
    "of both families, %s first: ip is the first, the rest are apart, and none is left after the stop",
    async (name, order) => {
      const subnets = { 4: `${daemon.subnet}.0/24`, 6: `${prefix}::/64` } as Record<number, string>;
      const ranges = order.map((family) => [{ subnet: subnets[family] }]);
      const network = `${daemon.network}-${name}`;
      configure({
        name: network,
        plugins: ([bridge]) => [{ ...bridge, ipMasq: false, ipam: { ...bridge!.ipam, ranges, routes: [] } }],
      });
      expect(await eventually(networkName, (current) => current === network)).toBe(network);
      const podSandboxId = await runPod();
      const { ip, additionalIps } = (await podStatusOf(podSandboxId)).network!;
      const addresses = [ip, ...additionalIps.map((each) => each.ip)];
      expect(addresses.map((address) => (address.startsWith(prefix) ? 6 : 4))).toEqual(order);
      const container = await runContainer(podSandboxId);
      const inPod = await inside(container, "ip -o addr show dev eth0");
      for (const address of addresses) expect(inPod).toContain(` ${address}/`);
      const taken = () => fs.readdirSync(path.join(daemon.ipamDir, network)).filter((file) => /^[0-9f]/.test(file));
      expect(taken()).toHaveLength(2);
      await client.runtime("StopPodSandbox", { podSandboxId });
      expect((await podStatusOf(podSandboxId)).network).toEqual({ ip: "", additionalIps: [] });
      expect(taken()).toEqual([]);
    },
  );

  test("are none on the host's network", async () => {
    const pod = await runPod({ linux: { securityContext: { namespaceOptions: { network: NamespaceMode.NODE } } } });
    expect((await podStatusOf(pod)).network).toEqual({ ip: "", additionalIps: [] });
  });
});
