// The work of floor.mjs, in a process that holds nothing else: a process forks the slower the more memory it has.
// usage: hack/bench/floor-process.mjs OPTIONS, as JSON, by fork(); see floor.mjs
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { setImmediate as turn } from "node:timers/promises";
import { busyboxEntries } from "../images/busybox.cjs";
import { tar } from "../images/tar.cjs";
import machine from "../support/machine.cjs";
import { PLUGINS } from "./containerd.mjs";
import { burstFloor } from "./floor.mjs";

/** Where ip(8) pins network namespaces; it mounts this directory over itself for the first of them. */
const PINNED = "/run/netns";

const mount = (destination, type, ...options) => ({ destination, type, source: type, options });
/** Of what every container of the runtimes has, what takes a system call or more. */
const MOUNTS = [
  mount("/proc", "proc", "nosuid", "noexec", "nodev"),
  mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
  mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
  mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
  mount("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
  mount("/sys/fs/cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
];

/** A container like the pods', in a network namespace that is there already as theirs is. */
const spec = ({ netns, rootfs, cgroupsPath }) => ({
  ociVersion: "1.0.2",
  process: {
    user: { uid: 0, gid: 0 },
    args: ["sleep", "100000"],
    env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
    cwd: "/",
  },
  root: { path: rootfs },
  mounts: MOUNTS,
  linux: {
    cgroupsPath,
    resources: { devices: [{ allow: false, access: "rwm" }] },
    namespaces: [
      { type: "pid" },
      { type: "mount" },
      { type: "ipc" },
      { type: "uts" },
      { type: "network", path: path.join(PINNED, netns) },
    ],
  },
});

function hasEnded(pid) {
  try {
    return /^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}

/** How many pods of a burst are worked at: more on a processor only makes them wait for one another's locks. */
const AT_ONCE = 2 * os.availableParallelism();

const { place, cgroup, programs, rounds, counts } = JSON.parse(process.argv[2]);
const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interrupt.abort(new Error("interrupted")));

const list = JSON.parse(fs.readFileSync(path.join(place.confDir, "10-bridge.conflist"), "utf8"));
const rootfs = path.join(place.directory, "rootfs");
const log = fs.openSync(place.log, "a"); // containers have it too, and a pipe would not end before they do
const figures = { "CNI ADD": [], "CNI DEL": [] };
/** What there is of pods, so that a round that fails leaves nothing. */
const pods = new Set();
const global = (name) => ["--root", path.join(place.state, name)];

async function timed(key, work) {
  interrupt.signal.throwIfAborted();
  const began = performance.now();
  const result = await work();
  figures[key] ??= [];
  figures[key].push(performance.now() - began);
  return result;
}

/** Runs a program to its end; what it prints on stdout, where that is asked for. */
async function run(file, args, { env, input } = {}) {
  const child = spawn(file, args, { env, stdio: input === undefined ? ["ignore", log, log] : ["pipe", "pipe", log] });
  const exited = new Promise((resolve, reject) => child.once("exit", resolve).once("error", reject));
  child.stdin?.end(input);
  const output = child.stdout && (await buffer(child.stdout));
  const code = await exited;
  if (code !== 0) throw new Error(`${file} ${args.join(" ")} failed: ${output ?? `see ${place.log}`}`);
  return output;
}

/** What a plugin of the list prints (CNI spec 1.0.0, section 2). */
async function plugin(command, netns, { capabilities: _, ...config }, prevResult) {
  const { cniVersion, name } = list;
  const printed = await run(path.join(PLUGINS, config.type), [], {
    input: JSON.stringify({ cniVersion, name, ...config, prevResult }),
    env: {
      ...process.env,
      CNI_COMMAND: command,
      CNI_CONTAINERID: netns,
      CNI_NETNS: path.join(PINNED, netns),
      CNI_IFNAME: "eth0",
      CNI_PATH: PLUGINS,
    },
  });
  return command === "ADD" ? JSON.parse(printed) : undefined;
}

async function add(pod) {
  for (const config of list.plugins) pod.result = await plugin("ADD", pod.netns, config, pod.result);
}

async function del(pod) {
  for (const config of list.plugins.toReversed()) await plugin("DEL", pod.netns, config, pod.result);
}

/** A network namespace and a bundle, not timed: what else a pod needs before its network and its container. */
function makePod() {
  const netns = `${place.network}-${pods.size}`; // ours alone, as the name of the network is
  const pod = { netns, bundle: path.join(place.state, netns), pidFile: path.join(place.state, `${netns}.pid`) };
  pods.add(pod);
  execFileSync("ip", ["netns", "add", netns]);
  fs.mkdirSync(pod.bundle);
  const config = JSON.stringify(spec({ netns, rootfs, cgroupsPath: `/${cgroup}/${netns}` }));
  fs.writeFileSync(path.join(pod.bundle, "config.json"), config);
  return pod;
}

function removePod(pod) {
  execFileSync("ip", ["netns", "delete", pod.netns]);
  fs.rmSync(pod.bundle, { recursive: true });
  pods.delete(pod);
}

/** The calls of one OCI runtime for a pod's container. */
function containerCalls(name, { netns, bundle, pidFile }) {
  const call = (...args) => run(programs[name], [...global(name), ...args]);
  return {
    create: () => call("create", "--bundle", bundle, "--pid-file", pidFile, netns),
    start: () => call("start", netns),
    exec: () => call("exec", netns, "true"),
    end: () => {
      const pid = Number(fs.readFileSync(pidFile, "utf8"));
      process.kill(pid, "SIGKILL"); // takes less than the program's own command
      while (!hasEnded(pid)); // and so does waiting without a pause
      return call("delete", netns);
    },
  };
}

async function single() {
  const pod = makePod();
  await timed("CNI ADD", () => add(pod));
  for (const name of Object.keys(programs)) {
    const { create, start, exec, end } = containerCalls(name, pod);
    await timed(`${name} create`, create);
    await timed(`${name} start`, start);
    await timed(`${name} exec`, exec);
    await timed(`${name} kill and delete`, end);
  }
  await timed("CNI DEL", () => del(pod));
  removePod(pod);
}

/** `work` for each, so many of them at once. Waits for all, so that nothing is under way when a failure is told. */
async function each(items, work) {
  const rest = [...items];
  const lanes = Array.from({ length: AT_ONCE }, async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  });
  const failed = (await Promise.allSettled(lanes)).find(({ status }) => status === "rejected");
  if (failed) throw failed.reason;
}

/** So many pods at once, under crun, which takes less than runc. */
async function burst(count) {
  const made = Array.from({ length: count }, makePod);
  await timed(burstFloor(count), () =>
    each(made, async (pod) => {
      const { create, start } = containerCalls("crun", pod);
      await add(pod);
      await create();
      await start();
    }),
  );
  await each(made, async (pod) => {
    await containerCalls("crun", pod).end();
    await del(pod);
    removePod(pod);
  });
}

fs.mkdirSync(rootfs, { recursive: true });
execFileSync("tar", ["-xf", "-", "-C", rootfs], { input: tar(busyboxEntries("/bin/busybox")) });
fs.mkdirSync(place.state);
execFileSync("mount", ["-t", "tmpfs", "tmpfs", place.state]); // as the runtimes have it
const wasExpedited = fs.readFileSync(machine.EXPEDITED);
const wasMounted = machine.mounts().some(({ point }) => point === PINNED);
try {
  fs.writeFileSync(machine.EXPEDITED, "1"); // what waits for grace periods waits less under Berth, too
  for (let n = 0; n <= rounds.singles; n++) {
    await turn(); // an interrupt is heard only between
    await single();
    // nothing is kept of the first, which finds caches cold
    if (n === 0) for (const key of Object.keys(figures)) figures[key] = [];
  }
  for (const count of counts) for (let n = 0; n < rounds.bursts; n++) await burst(count);
  process.send({ figures });
} catch (error) {
  process.send({ problem: `${error.message}\n${fs.readFileSync(place.log, "utf8").slice(-3000)}` });
  process.exitCode = 1;
} finally {
  fs.writeFileSync(machine.EXPEDITED, wasExpedited);
  for (const { netns } of pods) {
    for (const [name, program] of Object.entries(programs))
      if (fs.existsSync(path.join(place.state, name, netns)))
        machine.output(program, [...global(name), "delete", "--force", netns]);
    if (fs.existsSync(path.join(PINNED, netns))) machine.output("ip", ["netns", "delete", netns]);
  }
  // refused where somebody else has pinned one meanwhile
  if (!wasMounted && machine.mounts().some(({ point }) => point === PINNED)) machine.output("umount", [PINNED]);
  await machine.takeAway(place);
  process.disconnect();
}
