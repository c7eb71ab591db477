import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { PodSandboxState } from "../../api/messages";
import { Client } from "../../cri/client/client";
import { identify, isAlive } from "../../sys/process-identity";
import { tryBerth } from "../support/berth";
import { testDaemon, type TestDaemon } from "../support/daemon";
import { eventually, podCalls } from "../support/pods";
import { temporaryDirectory } from "../support/unique";

/** What becomes of pods where network plugins misbehave, through the CRI; cni.test.ts has more of the plugins' calls. */
let daemon: TestDaemon;
let client: Client;
let directory = "";

const at = (name: string) => path.join(directory, name);

/**
 * The last plugin of the list: it writes to `calls`, and then runs the shell script of the command's name, if there is
 * one. ADD hands on what came before it.
 */
const plugin = (folder: string) => `#!/bin/sh
config=$(cat)
echo "$CNI_COMMAND $CNI_CONTAINERID" >>${folder}/calls
[ ! -e ${folder}/$CNI_COMMAND ] || . ${folder}/$CNI_COMMAND
[ "$CNI_COMMAND" = ADD ] || exit 0
printf '%s' "$config" | sed 's/.*"prevResult"://; s/}$//'
`;

/** Makes the plugin do something at a command. */
const misbehave = (command: string, script: string) => fs.writeFileSync(at(command), script);
const behave = () => {
  for (const command of ["ADD", "DEL", "GC"]) fs.rmSync(at(command), { force: true });
};
const calls = (command: string) =>
  (fs.existsSync(at("calls")) ? fs.readFileSync(at("calls"), "utf8") : "")
    .split("\n")
    .filter((line) => line.startsWith(`${command} `));

beforeAll(async () => {
  directory = temporaryDirectory();
  fs.writeFileSync(at("moody"), plugin(directory), { mode: 0o755 });
  const cni = { bin_dirs: [directory, "/usr/lib/cni"], plugin_timeout_s: 2, gc_interval_s: 1 };
  daemon = testDaemon({ options: { cni } });
  configure((list) => ({ ...list, cniVersion: "1.0.0", plugins: [...list.plugins, { type: "moody" }] }));
  await daemon.start();
  client = new Client(daemon.socket);
}, 60_000);

afterEach(async () => {
  behave();
  await removePods();
  await eventually(attachments, ({ length }) => length === 0);
  expect([attachments(), daemon.allocatedAddresses()]).toEqual([[], []]);
  fs.rmSync(at("calls"), { force: true });
});

afterAll(async () => {
  client?.close();
  await daemon?.remove();
  if (directory) fs.rmSync(directory, { recursive: true });
}, 60_000);

const { podConfig, runPod, podStatusOf, removePods } = podCalls(() => ({ client, daemon, image: "" }));

interface NetworkList {
  cniVersion: string;
  plugins: { type: string }[];
}

const configFile = () => path.join(daemon.confDir, "10-bridge.conflist");

/** Changes the pod network's configuration, which the daemon sees before its next answer or soon after. */
function configure(change: (list: NetworkList) => object): void {
  fs.writeFileSync(configFile(), JSON.stringify(change(JSON.parse(fs.readFileSync(configFile(), "utf8")))));
}

const attachments = () =>
  fs.readdirSync(path.join(daemon.directory, "cni-cache")).filter((name) => name.endsWith(".json"));
const isReady = async () => {
  const { status } = await client.runtime("Status", {});
  return status!.conditions.find(({ type }) => type === "NetworkReady")!.status;
};
const sandboxes = async () => (await client.runtime("ListPodSandbox", {})).items.map(({ id }) => id);
const stopPod = (podSandboxId: string) => client.runtime("StopPodSandbox", { podSandboxId });
const removePod = (podSandboxId: string) => client.runtime("RemovePodSandbox", { podSandboxId });
const berth = (...args: string[]) => tryBerth(daemon.configFile, args);

async function eventuallyEnded(pid: number): Promise<boolean> {
  const identity = identify(pid);
  return (
    !identity ||
    !(await eventually(
      () => isAlive(identity),
      (alive) => !alive,
    ))
  );
}

describe("a plugin that", () => {
  test.each([
    ["fails", `echo '{"code":11,"msg":"no luck"}'; exit 1`, "Unavailable", "no luck (code 11)"],
    ["hangs", "sleep 4000", "DeadlineExceeded", "killed after 2 s"],
    ["prints rubbish", "echo rubbish; exit 0", "Internal", "it printed no JSON: rubbish"],
    ["prints a version that nobody asked for", `echo '{"cniVersion":"9.0.0"}'; exit 0`, "Internal", '"9.0.0"'],
    ["prints a result without end", "tr '\\0' x </dev/zero; exit 0", "Internal", "it printed more than 1048576 bytes"],
    [
      "prints errors without end, and escapes",
      "printf '\\033]0;owned\\007\\033[2J' >&2; head -c 16000000 /dev/zero | tr '\\0' '\\033' >&2; exit 3",
      "Internal",
      "exit code 3: ]0;owned [2J",
    ],
  ])("%s in ADD: the error says which one and why, and nothing is left", async (_, script, code, message) => {
    misbehave("ADD", script);
    const failure = await runPod().catch((error) => error);
    expect(failure).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(failure.message).toContain(`CNI plugin moody (ADD, network ${daemon.network}): `);
    expect(failure.message).not.toMatch(/[\u0000-\u001f\u007f]/);
    expect(failure.message.length).toBeLessThan(2000);
    expect([await sandboxes(), attachments(), daemon.allocatedAddresses()]).toEqual([[], [], []]);
  });

  test("is missing: it and the directories that were searched are named, and a pod comes up once it is there", async () => {
    const config = podConfig();
    fs.renameSync(at("moody"), at("away"));
    try {
      const refused = client.runtime("RunPodSandbox", { config });
      await expect(refused).rejects.toMatchObject({
        code: "FailedPrecondition",
        message: expect.stringContaining(`there is no such plugin in ${directory}, /usr/lib/cni`),
      });
    } finally {
      fs.renameSync(at("away"), at("moody"));
    }
    await client.runtime("RunPodSandbox", { config });
  });

  test("fails or hangs in DEL: the pod stays, to be stopped again, and no address is lost", async () => {
    const id = await runPod();
    misbehave("DEL", "kill -SEGV $$");
    await expect(stopPod(id)).rejects.toThrow(`CNI plugin moody (DEL, network ${daemon.network}): killed by SIGSEGV`);
    misbehave("DEL", "sleep 4000");
    await expect(removePod(id)).rejects.toMatchObject({ code: "DeadlineExceeded" });
    expect((await podStatusOf(id)).state).toBe(PodSandboxState.SANDBOX_NOTREADY);
    expect(attachments()).toEqual([`${id}.json`]);
    expect(daemon.allocatedAddresses()).toHaveLength(1);
    behave();
    await stopPod(id);
    expect([attachments(), daemon.allocatedAddresses()]).toEqual([[], []]);
  });

  test("hangs holds up no other pod", async () => {
    misbehave("ADD", `case "$CNI_ARGS" in *K8S_POD_NAME=slow*) touch ${at("slow")}; sleep 4000 ;; esac`);
    const metadata = { name: "slow", namespace: "default", uid: "slow" };
    const slow = runPod({ metadata }).catch((error) => error);
    expect(await eventually(() => fs.existsSync(at("slow")), Boolean)).toBe(true);
    let isOver = false;
    void slow.then(() => {
      isOver = true;
    });
    await stopPod(await runPod());
    expect(isOver).toBe(false);
    expect(await slow).toMatchObject({ code: "DeadlineExceeded" });
  });
});

test("DEL is as it was when the pod was made, whatever has become of the configuration", async () => {
  const good = fs.readFileSync(configFile(), "utf8");
  const pods = [await runPod(), await runPod(), await runPod()];
  try {
    configure((list) => ({ ...list, name: "other", plugins: [{ type: "nowhere" }] }));
    await stopPod(pods[0]!);
    fs.writeFileSync(configFile(), "{");
    expect(await eventually(isReady, (ready) => !ready)).toBe(false);
    await stopPod(pods[1]!);
    fs.rmSync(configFile());
    await stopPod(pods[2]!);
  } finally {
    fs.writeFileSync(configFile(), good);
  }
  expect(calls("DEL")).toEqual(pods.map((id) => `DEL ${id}`));
  expect(daemon.allocatedAddresses()).toEqual([]);
  expect(await eventually(isReady, (ready) => ready)).toBe(true);
});

test("a pod whose namespace's file was removed by hand is stopped, and its address given back", async () => {
  const pods = [await runPod(), await runPod()];
  const netns = (id: string) => path.join(daemon.state, "sandboxes", id, "ns/net");
  for (const id of pods) execFileSync("umount", [netns(id)]);
  fs.rmSync(netns(pods[1]!));
  for (const id of pods) {
    expect((await podStatusOf(id)).state).toBe(PodSandboxState.SANDBOX_NOTREADY);
    await stopPod(id);
    await removePod(id);
  }
  expect([attachments(), daemon.allocatedAddresses()]).toEqual([[], []]);
});

test("a pod takes no router's advertisements from another", async () => {
  const netns = path.join(daemon.state, "sandboxes", await runPod(), "ns/net");
  const setting = ["cat", "/proc/sys/net/ipv6/conf/eth0/accept_ra"];
  expect(execFileSync("nsenter", [`--net=${netns}`, ...setting], { encoding: "utf8" })).toBe("0\n");
});

describe("a daemon that is killed", () => {
  test("in an ADD: the plugin and what it has started are ended at the start, and the address is given back", async () => {
    misbehave("ADD", `setsid sleep 4000 & echo $$ $! >${at("pids")}; wait`);
    fs.rmSync(at("pids"), { force: true });
    const making = runPod().catch((error) => error.code);
    const text = () => (fs.existsSync(at("pids")) ? fs.readFileSync(at("pids"), "utf8") : "");
    const pids = (await eventually(text, ({ length }) => length > 2)).trim().split(" ").map(Number);
    expect(pids).toHaveLength(2);
    await daemon.kill();
    expect(await making).toBe("Unavailable");
    expect(pids.map((pid) => isAlive(identify(pid)!))).toEqual([true, true]);
    expect(daemon.allocatedAddresses()).toHaveLength(1);
    behave();
    await daemon.start();
    for (const pid of pids) expect(await eventuallyEnded(pid)).toBe(true);
    expect([await sandboxes(), attachments(), daemon.allocatedAddresses()]).toEqual([[], [], []]);
    expect(fs.readdirSync(path.join(daemon.directory, "cni-cache/running"))).toEqual([]);
  });

  test("while a plugin hangs in DEL: it starts all the same, and gives the address back later", async () => {
    const id = await runPod();
    misbehave("DEL", "sleep 4000");
    await daemon.kill();
    // as after a reboot
    for (const mount of fs.globSync(`${daemon.state}/sandboxes/*/{ns/*,shm}`)) execFileSync("umount", ["-l", mount]);
    fs.rmSync(path.join(daemon.state, "sandboxes"), { recursive: true });
    await daemon.start();
    expect([await sandboxes(), attachments()]).toEqual([[], [`${id}.json`]]);
    behave();
    expect(await eventually(attachments, ({ length }) => length === 0)).toEqual([]);
    expect(daemon.allocatedAddresses()).toEqual([]);
    expect(daemon.readLog()).toContain(`the network of sandbox ${id}: CNI plugin moody (DEL`);
  });
});

describe("a DEL that fails for ever", () => {
  const broken = "exit 3";

  test("keeps a pod from being removed, until the operator says so by rm --force", async () => {
    const id = await runPod();
    misbehave("DEL", broken);
    expect(await berth("rm", id)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("CNI plugin moody (DEL"),
    });
    expect(await sandboxes()).toEqual([id]);
    const forced = await berth("rm", "--force", id);
    expect(forced).toMatchObject({ status: 0, stdout: `${id}\n`, stderr: expect.stringContaining("CNI plugin moody") });
    expect([await sandboxes(), attachments()]).toEqual([[], []]);
    // the plugin has not given it back: nobody else will
    for (const address of daemon.allocatedAddresses()) fs.rmSync(path.join(daemon.ipamDir, daemon.network, address));
  });

  test("of a pod that never came up is tried again, and given up by rm --force with its ID", async () => {
    misbehave("ADD", broken);
    misbehave("DEL", broken);
    await expect(runPod()).rejects.toThrow(/ADD, .*exit code 3.*not undone, to be retried: .*DEL, .*exit code 3/);
    const [record] = attachments();
    const id = record!.replace(".json", "");
    expect(
      await eventually(
        () => calls("DEL").length,
        (count) => count >= 3,
      ),
    ).toBeGreaterThanOrEqual(3);
    expect(attachments()).toEqual([record]);
    expect(await berth("rm", "--force", id.slice(0, 12))).toMatchObject({ status: 1 });
    expect(await berth("rm", "--force", id)).toMatchObject({ status: 0 });
    expect(attachments()).toEqual([]);
    for (const address of daemon.allocatedAddresses()) fs.rmSync(path.join(daemon.ipamDir, daemon.network, address));
  });

  test("is no reason for the network of a pod that runs to be given up", async () => {
    const podSandboxId = await runPod();
    await expect(client.berth("ForgetNetwork", { podSandboxId })).rejects.toMatchObject({ code: "FailedPrecondition" });
    expect(attachments()).toHaveLength(1);
  });
});

describe("GC of CNI 1.1", () => {
  /** A plugin that waits in ADD as long as `hold` is there, and writes down what GC tells it and what runs beside it. */
  const collector = (folder: string) => `#!/bin/sh
config=$(cat)
case $CNI_COMMAND in
ADD)
  touch ${folder}/adding
  while [ -e ${folder}/hold ]; do sleep 0.02; done
  rm ${folder}/adding
  echo '{"cniVersion":"1.1.0","ips":[{"address":"10.9.8.7/24"}]}'
  ;;
GC)
  [ ! -e ${folder}/adding ] || touch ${folder}/overlap
  printf '%s\\n' "$config" >>${folder}/gc
  ;;
esac
`;

  test("comes by itself and tells which pods there are, and never beside an ADD", async () => {
    const before = fs.readFileSync(configFile(), "utf8");
    const networkName = async () => {
      const { info } = await client.runtime("Status", { verbose: true });
      return JSON.parse(info["network"]!).name as string;
    };
    const told = () => {
      const lines = fs.existsSync(at("gc")) ? fs.readFileSync(at("gc"), "utf8").trim().split("\n") : [];
      return lines.map((line) =>
        (JSON.parse(line)["cni.dev/valid-attachments"] as { containerID: string }[]).map(
          ({ containerID }) => containerID,
        ),
      );
    };
    fs.writeFileSync(at("collector"), collector(directory), { mode: 0o755 });
    try {
      configure(() => ({ cniVersion: "1.1.0", name: "collected", plugins: [{ type: "collector" }] }));
      expect(await eventually(networkName, (name) => name === "collected")).toBe("collected");
      const first = await runPod();
      expect(await eventually(told, (all) => all.some((ids) => ids.includes(first)))).toContainEqual([first]);
      fs.writeFileSync(at("hold"), "");
      const making = runPod();
      expect(await eventually(() => fs.existsSync(at("adding")), Boolean)).toBe(true);
      const count = told().length;
      // it is left out, for else the pod that is stopped would wait for the one that is made
      await client.berth("CollectGarbage", { minAgeS: 600n });
      await stopPod(first);
      expect(told()).toHaveLength(count);
      fs.rmSync(at("hold"));
      const second = await making;
      await client.berth("CollectGarbage", { minAgeS: 600n });
      expect(told().length).toBeGreaterThan(count);
      expect(told().at(-1)!.sort()).toEqual([first, second].sort());
      expect(fs.existsSync(at("overlap"))).toBe(false);
    } finally {
      fs.rmSync(at("hold"), { force: true });
      await removePods();
      fs.writeFileSync(configFile(), before);
    }
    expect(await eventually(networkName, (name) => name === daemon.network)).toBe(daemon.network);
  });
});

describe("a host port", () => {
  const port = 30000 + Math.floor(Math.random() * 2000);
  const mapping = (hostIp = "", protocol = 0) => ({ hostPort: port, containerPort: 80, hostIp, protocol });
  const withPort = (...portMappings: ReturnType<typeof mapping>[]) => runPod({ portMappings });

  test("of another pod is refused with that pod's name, until that one is stopped", async () => {
    const metadata = { name: "first", namespace: "shop", uid: "uid-first" };
    const first = await runPod({ metadata, portMappings: [mapping()] });
    await expect(withPort(mapping("127.0.0.1"))).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringContaining(`host port 127.0.0.1:${port}/tcp is taken by pod shop/first (sandbox ${first})`),
    });
    expect([await sandboxes(), daemon.allocatedAddresses().length]).toEqual([[first], 1]);
    await withPort(mapping("", 1));
    // over a restart, and over a crash
    await daemon.kill();
    await daemon.start();
    await expect(withPort(mapping())).rejects.toThrow("is taken by pod shop/first");
    await stopPod(first);
    const second = await withPort(mapping());
    await expect(withPort(mapping())).rejects.toThrow(`(sandbox ${second})`);
  });

  test("goes to one of several pods that ask for it at once", async () => {
    const made = await Promise.allSettled(Array.from({ length: 4 }, () => withPort(mapping())));
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("is mapped on the address that was asked for, and on no other", async () => {
    await withPort(mapping("127.0.0.1"));
    const rules = execFileSync("iptables-save", ["-t", "nat"], { encoding: "utf8" });
    const mapped = rules.split("\n").filter((rule) => rule.includes(`--dport ${port}`) && rule.includes("DNAT"));
    expect(mapped).toHaveLength(1);
    expect(mapped[0]).toContain("-d 127.0.0.1/32");
  });
});
