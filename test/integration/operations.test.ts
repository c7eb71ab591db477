import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { berth, tryBerth } from "../support/berth";
import { environment, startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage, makeImage, makeLayer } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";

// a command of ours is a process, which a busy machine starts slowly
jest.setTimeout(20_000);

/** What an operator asks of a node by Berth's own commands. */
let registry: TestRegistry;
let daemon: TestDaemon;
let image = "";
let pod = "";
let container = "";

const run = (...args: string[]) => berth(daemon.configFile, ...args);
const attempt = (...args: string[]) => tryBerth(daemon.configFile, args);

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  const pinned = [`${registry.address}/test/pinned:latest`];
  daemon = await startDaemon({ registry: registry.url, options: { images: { pinned } } });
  const script = "echo one; echo two; echo three; exec sleep 600";
  const started = await run("run", "--detach", "--output", "json", "--name", "web", image, "sh", "-c", script);
  ({ sandboxId: pod, containerId: container } = JSON.parse(started));
}, 60_000);

afterAll(async () => {
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

interface Finding {
  check: string;
  level: string;
  message: string;
  remedy?: string;
}

async function doctor(...args: string[]): Promise<{ status: number; found: Finding[] }> {
  const { status, stdout } = await attempt("doctor", "--output", "json", ...args);
  return { status, found: JSON.parse(stdout) as Finding[] };
}

test("doctor finds nothing wrong with a node that runs pods, and says so of each part", async () => {
  const { status, found } = await doctor();
  expect(found.filter(({ level }) => level === "error")).toEqual([]);
  expect(status).toBe(0);
  expect(new Set(found.map(({ check }) => check))).toEqual(
    new Set(["kernel", "cgroups", "programs", "network", "space", "daemon", "leaks"]),
  );
  expect(found.filter(({ level, remedy }) => level === "warning" && !remedy)).toEqual([]);
  // what runs is nobody's leak, however young it may be
  const strict = await doctor("--min-age", "0");
  expect(strict.found.filter(({ message }) => message.includes(pod) || message.includes(container))).toEqual([]);
});

test("doctor names what belongs to nobody, and gc takes away what can be no other's", async () => {
  const id = "f".repeat(64);
  const shm = path.join(daemon.state, "sandboxes", id, "shm");
  const exit = path.join(daemon.state, "exits", id);
  const netns = path.join(daemon.state, "sandboxes", id, "ns", "net");
  const record = path.join(daemon.state, "runtimes", "crun", id);
  const address = path.join(daemon.ipamDir, daemon.network, `${daemon.subnet}.250`);
  fs.mkdirSync(shm, { recursive: true });
  fs.mkdirSync(path.dirname(netns), { recursive: true });
  fs.writeFileSync(netns, "");
  fs.mkdirSync(record, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", shm]);
  execFileSync("mount", ["--bind", "/proc/self/ns/net", netns]);
  const likeMonitor = ["-e", "setTimeout(() => {}, 60000)", "--", "--exit-dir", path.dirname(exit), "-c", id];
  const monitor = spawn(process.execPath, likeMonitor, { argv0: "conmon", stdio: "ignore" });
  const ended = new Promise<string | null>((resolve) => monitor.once("exit", (_code, signal) => resolve(signal)));
  try {
    fs.writeFileSync(exit, "0");
    fs.writeFileSync(address, `${id}\r\neth0`);
    const young = await doctor();
    expect(young.found.filter(({ message }) => message.includes(id))).toEqual([]);
    const { found } = await doctor("--min-age", "0");
    const own = [id, address, `/proc/${monitor.pid}`];
    const ours = found.filter(({ message }) => own.some((each) => message.includes(each)));
    expect(ours.map(({ level, message }) => `${level}: ${message}`).sort()).toEqual([
      `warning: address of nobody: ${address}`,
      `warning: exit file of nobody: ${exit}`,
      `warning: monitor of nobody: /proc/${monitor.pid}`,
      `warning: mount of nobody: ${shm}`,
      `warning: namespace of nobody: ${netns}`,
      `warning: runtime's record of nobody: ${record}`,
    ]);
    const said = await run("gc", "--min-age", "0");
    for (const each of [`mount ${shm}`, `namespace ${netns}`, `monitor /proc/${monitor.pid}`])
      expect(said).toContain(`removed ${each}`);
    expect(await ended).toBe("SIGKILL");
    expect(fs.existsSync(exit)).toBe(false);
    // another runtime may have the same network
    expect(fs.existsSync(address)).toBe(true);
  } finally {
    monitor.kill("SIGKILL");
    for (const point of [shm, netns])
      if (fs.readFileSync("/proc/self/mounts", "utf8").includes(point)) execFileSync("umount", [point]);
    fs.rmSync(record, { recursive: true, force: true });
    fs.rmSync(path.dirname(shm), { recursive: true, force: true });
    fs.rmSync(address, { force: true });
  }
});

test("doctor tells of a daemon that is down, a missing network and a runtime with known flaws", async () => {
  const old = path.join(daemon.directory, "old-runc");
  fs.writeFileSync(old, "#!/bin/sh\necho 'runc version 1.0.3'\n", { mode: 0o755 });
  const file = path.join(daemon.directory, "ill.toml");
  const lines = [
    `root = "${daemon.root}"`,
    `state = "${daemon.state}"`,
    `socket = "${daemon.directory}/none.sock"`,
    `[runtime.handlers.old]\npath = "${old}"`,
    `[runtime.handlers.gone]\npath = "${daemon.directory}/gone"`,
    `[cni]\nconf_dir = "${daemon.directory}/empty"`,
  ];
  fs.writeFileSync(file, lines.join("\n"));
  const { status, stdout } = await tryBerth(file, ["doctor"]);
  expect(status).toBe(1);
  expect(stdout).toMatch(/error +daemon +no daemon answers/);
  expect(stdout).toMatch(/error +network +there is no network configuration/);
  expect(stdout).toMatch(/error +programs +the runtime of handler "gone" is missing/);
  expect(stdout).toMatch(/error +programs +\S*old-runc is runc 1\.0\.3\n +remedy: install runc 1\.1 or later/);
  expect(stdout).toMatch(/warning +programs +old: \S+, runc 1\.0\.3, has .*CVE-2025-31133/);
});

test("info, stats, inspect and logs tell of what runs", async () => {
  const info = await run("info");
  expect(info).toMatch(/^RuntimeReady +true$/m);
  expect(info).toMatch(/^pods, containers +1, 1$/m);
  expect(info).toMatch(/the default$/m);
  expect(await run("stats")).toMatch(
    new RegExp(`^${container.slice(0, 13)} +berth/web +main +[\\d.-]+%? +[\\d.]+k?M?B`, "m"),
  );
  const [one, two, three] = JSON.parse(await run("inspect", container.slice(0, 20), pod, image));
  expect(one).toMatchObject({ kind: "container", status: { id: container }, info: { info: { sandboxID: pod } } });
  // as the kubelet asks for it: above all the power that the machine takes is hidden
  const { linux } = one.info.info.runtimeSpec;
  expect(linux.maskedPaths).toContain("/sys/devices/virtual/powercap");
  expect(linux.readonlyPaths).toContain("/proc/sys");
  expect(two).toMatchObject({ kind: "pod", status: { id: pod, metadata: { name: "web" } } });
  expect(three).toMatchObject({ kind: "image", status: { repoTags: [image] } });
  expect((await attempt("inspect", "nothing")).stderr).toContain("there is no container, no pod and no image nothing");
  expect(await run("logs", "--tail", "2", container)).toBe("two\nthree\n");
  expect(await run("logs", "--tail", "1", "--timestamps", container)).toMatch(/^\d{4}-\d\d-\d\dT\S+ three\n$/);
});

test("exec hands on input, output, errors and the exit code, whole", async () => {
  const script = "cat; echo oops >&2; exit 7";
  const input = "x".repeat(1 << 20);
  const outcome = await tryBerth(daemon.configFile, ["exec", "-i", container, "sh", "-c", script], input);
  expect(outcome).toEqual({ status: 7, stdout: input, stderr: "oops\n" });
  expect(await run("exec", "-t", container, "tty")).toBe("/dev/pts/0\r\n");
  expect((await attempt("exec", container, "nosuch")).stderr).toContain("nosuch");
  expect((await attempt("exec", "--timeout", "1", container, "sleep", "60")).stderr).toContain("timed out");
});

test("events prints what happens until it is interrupted", async () => {
  const args = ["events", "--config", daemon.configFile];
  const child = spawn(path.join(__dirname, "../../bin/berth"), args, { env: environment() });
  let said = "";
  child.stdout.on("data", (chunk) => {
    said += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  try {
    await sleep(1000);
    await run("run", "--name", "short", image, "true");
    for (let i = 0; i < 100 && !/deleted {2}pod/.test(said); i++) await sleep(50);
    expect(said).toMatch(/created {2}pod +[0-9a-f]{13} {2}berth\/short\n/);
    expect(said).toMatch(/stopped {2}container {2}[0-9a-f]{13} {2}berth\/short\/main {2}Completed 0\n/);
    child.kill("SIGINT");
    expect(await ended).toBe(0);
  } finally {
    child.kill("SIGKILL");
  }
});

test("gc --images removes images that no container uses, but pinned ones", async () => {
  const layerOf = (name: string) => makeLayer([{ path: name, body: name.repeat(1000) }]);
  const unused = await registry.push("test/unused", makeImage({ layers: [layerOf("unused")] }));
  const pinned = await registry.push("test/pinned", makeImage({ layers: [layerOf("pinned")] }));
  for (const each of [unused, pinned]) await run("pull", each);
  // none that was pulled just now goes by itself
  await run("gc", "--images");
  expect(await run("images")).toContain(unused);
  const said = await run("gc", "--images", "--min-age", "0");
  expect(said).toMatch(/^removed image sha256:[0-9a-f]{64}\nremoved 3 blobs, 1 layers, 0 network attachments/m);
  const left = await run("images");
  expect(left).not.toContain(unused);
  expect(left).toContain(pinned);
  expect(left).toContain(image);
});

test("a shell completes commands, their options, and the containers that run", async () => {
  const script = path.join(daemon.directory, "completion.bash");
  fs.writeFileSync(script, await run("completion", "bash"));
  const complete = (...words: string[]) =>
    execFileSync(
      "bash",
      [
        "-c",
        `source ${script}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _berth; echo "\${COMPREPLY[@]}"`,
        "bash",
        "berth",
        ...words,
      ],
      { encoding: "utf8" },
    ).trim();
  expect(complete("do")).toBe("doctor");
  expect(complete("gc", "--im")).toBe("--images");
  expect(await run("completion", "containers")).toContain(container.slice(0, 13));
  for (const shell of ["zsh", "fish"]) expect(await run("completion", shell)).toContain("berth completion containers");
});
