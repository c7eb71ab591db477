import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { newSandboxId, type SandboxId } from "../../api/ids";
import { Networks, type PodNetwork } from "../../cni/networks";

// The real plugins of Debian's containernetworking-plugins in real network namespaces; needs root.
const realPlugins = "/usr/lib/cni";
const mark = randomBytes(3).toString("hex");
const subnetBase = `10.${200 + Math.floor(Math.random() * 50)}.${Math.floor(Math.random() * 250)}`;

let root: string;
let networks: Networks;
let warnings: string[];
let netnsNames: string[];
const bridge = `bt${mark}`;

const run = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: "utf8", stdio: "pipe" });
const inNetns = (name: string, ...command: string[]) => run("nsenter", `--net=/run/netns/${name}`, ...command);
const place = (...names: string[]) => path.join(root, ...names);

// What portmap makes for the whole host and never removes; only taken away if it was not there before, and is not used.
const portmapChains: [chain: string, from: string[]][] = [
  ["CNI-HOSTPORT-DNAT", ["PREROUTING", "OUTPUT"]],
  ["CNI-HOSTPORT-MASQ", ["POSTROUTING"]],
  ["CNI-HOSTPORT-SETMARK", []],
];
const hadPortmap = run("iptables-save", "-t", "nat").includes(":CNI-HOSTPORT-DNAT");

afterAll(() => {
  const rules = run("iptables-save", "-t", "nat").split("\n");
  if (hadPortmap || rules.some((rule) => rule.startsWith("-A CNI-HOSTPORT-DNAT"))) return;
  for (const [chain, from] of portmapChains) {
    if (!rules.some((rule) => rule.startsWith(`:${chain} `))) continue;
    for (const rule of rules.filter((rule) =>
      from.some((of) => rule.startsWith(`-A ${of} `) && rule.endsWith(chain)),
    )) {
      const words = rule.match(/"[^"]*"|\S+/g)!.map((word) => word.replaceAll('"', ""));
      run("iptables", "-t", "nat", "-D", ...words.slice(1));
    }
    run("iptables", "-t", "nat", "-F", chain);
    run("iptables", "-t", "nat", "-X", chain);
  }
});

beforeEach(async () => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "berth-cni-"));
  for (const name of ["conf", "bin", "ipam", "log"]) fs.mkdirSync(place(name));
  warnings = [];
  netnsNames = [];
  networks = start();
});

afterEach(async () => {
  const left = await networks.gc(new Set());
  networks.stop();
  for (const name of netnsNames) run("ip", "netns", "delete", name);
  if (fs.existsSync(`/sys/class/net/${bridge}`)) run("ip", "link", "delete", bridge);
  fs.rmSync(root, { recursive: true });
  expect(left).toEqual([]);
  expect(run("iptables-save")).not.toContain(subnetBase);
});

function start(pluginTimeoutMs = 20_000): Networks {
  return new Networks(
    {
      confDir: place("conf"),
      binDirs: [place("bin"), realPlugins],
      cacheDir: place("cache"),
      pluginTimeoutMs,
    },
    { warn: (message) => warnings.push(message) },
  );
}

const bridgePlugin = (ipMasq = true) => ({
  type: "bridge",
  bridge,
  isGateway: true,
  ipMasq,
  ipam: { type: "host-local", dataDir: place("ipam"), ranges: [[{ subnet: `${subnetBase}.0/24` }]] },
});
const portmapPlugin = { type: "portmap", capabilities: { portMappings: true }, snat: true };

async function configure(cniVersion: string, plugins: object[]): Promise<void> {
  const list = { cniVersion, name: "testnet", plugins };
  fs.writeFileSync(place("conf", "10-testnet.conflist"), JSON.stringify(list));
  await networks.start();
}

/** A plugin that is a shell script; CNI_COMMAND and its configuration go to log/NAME-COMMAND. */
function script(name: string, body: string): void {
  const log = `config=$(cat); printf '%s\\n' "$config" >> ${place("log", `${name}-`)}$CNI_COMMAND`;
  fs.writeFileSync(place("bin", name), `#!/bin/sh\n${log}\n${body}\n`, { mode: 0o755 });
}
const logged = (name: string) => {
  const file = place("log", name);
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim().split("\n") : [];
};

function newPod(more: Partial<PodNetwork> = {}): PodNetwork & { netns: string } {
  const netns = `berth-${mark}-${netnsNames.length}`;
  run("ip", "netns", "add", netns);
  netnsNames.push(netns);
  return {
    netns,
    sandboxId: newSandboxId(),
    netnsPath: `/run/netns/${netns}`,
    namespace: "default",
    name: "pod",
    uid: "uid-1",
    annotations: {},
    portMappings: [],
    ...more,
  };
}

const addressesTaken = () => {
  const directory = place("ipam", "testnet");
  return fs.existsSync(directory) ? fs.readdirSync(directory).filter((name) => name.startsWith("10.")) : [];
};
const succeed = (version: string) =>
  `[ "$CNI_COMMAND" != ADD ] || echo '{"cniVersion":"${version}","ips":[{"address":"10.9.8.7/24"}]}'`;

describe.each(["0.3.1", "0.4.0", "1.0.0"])("version %s", (version) => {
  test("setUp() connects pods to one another, and tearDown() leaves nothing", async () => {
    await configure(version, [bridgePlugin(), portmapPlugin, { type: "loopback" }]);
    expect(networks.status()).toEqual({ ready: true, reason: "", message: "" });
    const pods = [
      newPod({ portMappings: [{ protocol: 0, containerPort: 80, hostPort: 38080, hostIp: "" }] }),
      newPod(),
    ];
    const results = await Promise.all(pods.map((pod) => networks.setUp(pod)));
    const [first, second] = results.map(({ ips }) => ips[0]!);
    expect(results.every(({ interfaceName }) => interfaceName === "eth0")).toBe(true);
    expect(addressesTaken().sort()).toEqual([first, second].sort());
    inNetns(pods[0]!.netns, "busybox", "ping", "-c", "1", "-W", "2", second!);
    inNetns(pods[1]!.netns, "busybox", "ping", "-c", "1", "-W", "2", first!);
    expect(run("iptables-save")).toContain("38080");
    // Of the one without ports: portmap 1.1.1 checks for IPv6 rules that it never made.
    await networks.check(pods[1]!.sandboxId);

    await Promise.all(pods.map((pod) => networks.tearDown(pod)));
    expect(addressesTaken()).toEqual([]);
    expect(networks.attachments()).toEqual([]);
    expect(run("iptables-save")).not.toContain("38080");
    await networks.tearDown(pods[0]!);
  });
});

test("tearDown() gives the address back when the configuration, the daemon and the netns are gone", async () => {
  // Without masquerading: this plugin's release (1.1.1) finds those rules by the addresses in the netns alone.
  await configure("1.0.0", [bridgePlugin(false), portmapPlugin]);
  const pods = [newPod(), newPod()];
  for (const pod of pods) await networks.setUp(pod);
  networks.stop();
  fs.rmSync(place("conf"), { recursive: true });
  networks = start();
  await networks.start();
  expect(networks.status()).toMatchObject({ ready: false, reason: "NetworkPluginNotReady" });
  expect(networks.attachments().sort()).toEqual(pods.map(({ sandboxId }) => sandboxId).sort());
  // One loses only its mount: the file is still there, but is no namespace.
  run("umount", pods[0]!.netnsPath);
  run("ip", "netns", "delete", netnsNames.pop()!);
  for (const pod of pods) await networks.tearDown(pod);
  expect(addressesTaken()).toEqual([]);
});

test("setUp() undoes the first plugin when the second fails, and says which and why", async () => {
  script("broken", `[ "$CNI_COMMAND" = ADD ] || exit 0; echo '{"code":7,"msg":"no\\u001b[31mluck"}'; exit 1`);
  await configure("1.0.0", [bridgePlugin(), { type: "broken" }]);
  const pod = newPod();
  await expect(networks.setUp(pod)).rejects.toMatchObject({
    code: "FailedPrecondition",
    message: "CNI plugin broken (ADD, network testnet): no [31mluck (code 7)",
  });
  expect(logged("broken-DEL")).toHaveLength(1);
  expect(addressesTaken()).toEqual([]);
  expect(networks.attachments()).toEqual([]);
});

test("setUp() runs nothing when a plugin of the list is missing", async () => {
  await configure("1.0.0", [bridgePlugin(), { type: "nowhere" }]);
  await expect(networks.setUp(newPod())).rejects.toThrow(`there is no such plugin in ${place("bin")}, ${realPlugins}`);
  expect(addressesTaken()).toEqual([]);
  expect(networks.attachments()).toEqual([]);
});

test.each([
  ["prints rubbish", "echo rubbish", "it printed no JSON: rubbish"],
  ["prints nothing", "", "it printed nothing"],
  ["answers in another version", `echo '{"cniVersion":"9.0.0"}'`, 'cniVersion "9.0.0", asked was 1.0.0'],
  ["floods its output", "yes", "it printed more than 1048576 bytes"],
  ["dies", "kill -SEGV $$", "killed by SIGSEGV"],
])("setUp() fails clearly and gives the address back when a plugin %s", async (_, body, message) => {
  script("odd", `[ "$CNI_COMMAND" = ADD ] || exit 0\n${body}`);
  await configure("1.0.0", [bridgePlugin(), { type: "odd" }]);
  const attempt = networks.setUp(newPod());
  await expect(attempt).rejects.toThrow("CNI plugin odd (ADD, network testnet): ");
  await expect(attempt).rejects.toThrow(message);
  expect(addressesTaken()).toEqual([]);
});

test("setUp() ends a plugin that hangs, with all that it has started", async () => {
  networks = start(700);
  script("hang", `[ "$CNI_COMMAND" = ADD ] || exit 0; sleep 98765 & echo $! > ${place("pid")}; wait`);
  await configure("1.0.0", [bridgePlugin(), { type: "hang" }]);
  await expect(networks.setUp(newPod())).rejects.toMatchObject({
    code: "DeadlineExceeded",
    message: "CNI plugin hang (ADD, network testnet): killed after 0.7 s",
  });
  expect(addressesTaken()).toEqual([]);
  await sleep(50);
  const stat = `/proc/${fs.readFileSync(place("pid"), "utf8").trim()}/stat`;
  expect(!fs.existsSync(stat) || fs.readFileSync(stat, "utf8").includes(") Z ")).toBe(true);
});

test("tearDown() keeps what a failed DEL has left, and succeeds once the plugin does", async () => {
  script("moody", `${succeed("1.0.0")}\n[ "$CNI_COMMAND" != DEL ] || [ -e ${place("calm")} ] || exit 3`);
  await configure("1.0.0", [{ type: "moody" }]);
  const pod = newPod();
  expect((await networks.setUp(pod)).ips).toEqual(["10.9.8.7"]);
  await expect(networks.tearDown(pod)).rejects.toThrow("CNI plugin moody (DEL, network testnet): exit code 3");
  expect(networks.attachments()).toEqual([pod.sandboxId]);
  fs.writeFileSync(place("calm"), "");
  await networks.tearDown(pod);
  expect(networks.attachments()).toEqual([]);
  expect(JSON.parse(logged("moody-DEL")[0]!).prevResult.ips).toEqual([{ address: "10.9.8.7/24" }]);
});

test("tearDown() uses the network of now for a damaged record, and sets it aside", async () => {
  await configure("1.0.0", [bridgePlugin()]);
  const pod = newPod();
  await networks.setUp(pod);
  fs.writeFileSync(place("cache", `${pod.sandboxId}.json`), '{"version":1');
  networks.stop();
  networks = start();
  await networks.start();
  await networks.tearDown(pod);
  expect(addressesTaken()).toEqual([]);
  expect(networks.attachments()).toEqual([]);
  expect(warnings.join()).toContain("cannot be read: line 1: ");
});

test("a 1.1.0 list is asked for its STATUS, and told by GC what is valid", async () => {
  script(
    "modern",
    `${succeed("1.1.0")}\n[ "$CNI_COMMAND" != STATUS ] || [ -e ${place("up")} ] || { echo '{"code":50,"msg":"not yet"}'; exit 1; }`,
  );
  fs.writeFileSync(
    place("conf", "10-modern.conflist"),
    JSON.stringify({
      cniVersion: "1.0.0",
      cniVersions: ["1.1.0", "7.0.0"],
      name: "modern",
      plugins: [{ type: "modern" }],
    }),
  );
  await networks.start();
  for (let i = 0; i < 50 && logged("modern-STATUS").length === 0; i++) await sleep(20);
  await sleep(100);
  expect(networks.status()).toEqual({
    ready: false,
    reason: "NetworkPluginNotReady",
    message: "network modern is not ready: CNI plugin modern (STATUS, network modern): not yet (code 50)",
  });
  fs.writeFileSync(place("up"), "");
  const pods = [newPod(), newPod()];
  for (const pod of pods) await networks.setUp(pod);
  expect(await networks.gc(new Set([pods[0]!.sandboxId]))).toEqual([]);
  expect(networks.attachments()).toEqual([pods[0]!.sandboxId]);
  expect(logged("modern-DEL")).toHaveLength(1);
  const valid = [{ containerID: pods[0]!.sandboxId, ifname: "eth0" }];
  const told = JSON.parse(logged("modern-GC")[0]!);
  expect(told).toMatchObject({ cniVersion: "1.1.0", name: "modern", "cni.dev/valid-attachments": valid });
  await sleep(4000);
  networks.status();
  await sleep(300);
  expect(networks.status().ready).toBe(true);
}, 15_000);

test("the configuration is followed while it comes, breaks and goes", async () => {
  fs.rmSync(place("conf"), { recursive: true });
  await networks.start();
  expect(networks.status().message).toBe(`cni plugin not initialized: no network config found in ${place("conf")}`);
  fs.mkdirSync(place("conf"));
  fs.writeFileSync(place("conf", "20-b.conf"), '{"cniVersion":"0.4.0","name":"b","type":"bridge"}');
  await until(() => networks.networkName() === "b");
  fs.writeFileSync(place("conf", "10-a.conflist"), '{"cniVersion":"0.4.0",\n"name":"a" "plugins":[]}');
  await until(() => networks.status().message !== "");
  expect(networks.status()).toMatchObject({ ready: true, message: expect.stringContaining("10-a.conflist: line 2: ") });
  fs.rmSync(place("conf"), { recursive: true });
  await until(() => !networks.status().ready);
  fs.mkdirSync(place("conf"));
  fs.writeFileSync(place("conf", "30-c.conf"), '{"cniVersion":"0.4.0","name":"c","type":"bridge"}');
  await until(() => networks.networkName() === "c");
}, 15_000);

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 250 && !done(); i++) await sleep(20);
  expect(done()).toBe(true);
}

test("setUp() refuses names that would pass for other arguments, before any plugin runs", async () => {
  script("named", succeed("1.0.0"));
  await configure("1.0.0", [{ type: "named" }]);
  await expect(networks.setUp(newPod({ name: "a;K8S_POD_NAMESPACE=kube-system" }))).rejects.toMatchObject({
    code: "InvalidArgument",
  });
  await expect(networks.setUp(newPod({ sandboxId: "../x" as SandboxId }))).rejects.toMatchObject({
    code: "InvalidArgument",
  });
  expect(logged("named-ADD")).toEqual([]);
});
