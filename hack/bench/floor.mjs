// What no runtime can go below on this machine: the network list's plugins and the OCI runtimes, run one after the other
// with nothing around them.
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { busyboxEntries } from "../images/busybox.cjs";
import { tar } from "../images/tar.cjs";
import { layOut } from "../support/daemon.cjs";
import machine from "../support/machine.cjs";
import { PLUGINS } from "./containerd.mjs";

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
const spec = ({ netns, cgroupsPath }) => ({
  ociVersion: "1.0.2",
  process: {
    user: { uid: 0, gid: 0 },
    args: ["sleep", "100000"],
    env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
    cwd: "/",
  },
  root: { path: "rootfs" },
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

/** @param source { directory, cgroup, prefixLength, programs, signal }: programs are paths of OCI runtimes by name */
export function makeFloor({ directory, cgroup, prefixLength, programs, signal }) {
  const place = layOut(directory, { prefixLength });
  const list = JSON.parse(fs.readFileSync(path.join(place.confDir, "10-bridge.conflist"), "utf8"));
  const bundle = path.join(directory, "bundle");
  const rootfs = path.join(bundle, "rootfs");
  fs.mkdirSync(rootfs, { recursive: true });
  execFileSync("tar", ["-xf", "-", "-C", rootfs], { input: tar(busyboxEntries("/bin/busybox")) });
  fs.mkdirSync(place.state);
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", place.state]); // as the runtimes have it
  const wasMounted = machine.mounts().some(({ point }) => point === PINNED);
  const netns = place.network; // ours alone, as the name of the network is; and so are those of the containers
  const figures = { "CNI ADD": [], "CNI DEL": [] };

  function timed(key, work) {
    const began = performance.now();
    const result = work();
    figures[key] ??= [];
    figures[key].push(performance.now() - began);
    return result;
  }

  /** What a plugin of the list prints (CNI spec 1.0.0, section 2). */
  function plugin(command, { capabilities: _, ...config }, prevResult) {
    const { cniVersion, name } = list;
    const { status, stdout, error } = spawnSync(path.join(PLUGINS, config.type), {
      input: JSON.stringify({ cniVersion, name, ...config, prevResult }),
      encoding: "utf8",
      env: {
        ...process.env,
        CNI_COMMAND: command,
        CNI_CONTAINERID: netns,
        CNI_NETNS: path.join(PINNED, netns),
        CNI_IFNAME: "eth0",
        CNI_PATH: PLUGINS,
      },
    });
    if (status !== 0) throw new Error(`${config.type} ${command}: ${error?.message ?? stdout}`);
    return command === "ADD" ? JSON.parse(stdout) : undefined;
  }
  const add = () => list.plugins.reduce((result, config) => plugin("ADD", config, result), undefined);
  const del = (result) => {
    for (const config of list.plugins.toReversed()) plugin("DEL", config, result);
  };

  const global = (name) => ["--root", path.join(place.state, name)];
  const containerId = (name) => `${netns}-${name}`;

  /** A container from its beginning to its end by one OCI runtime. */
  function container(name) {
    const id = containerId(name);
    const pidFile = path.join(place.state, `${name}.pid`);
    const log = fs.openSync(place.log, "a"); // the container has it too, and a pipe would not end before it
    const call = (...args) => execFileSync(programs[name], [...global(name), ...args], { stdio: ["ignore", log, log] });
    try {
      fs.writeFileSync(
        path.join(bundle, "config.json"),
        JSON.stringify(spec({ netns, cgroupsPath: `/${cgroup}/${id}` })),
      );
      timed(`${name} create`, () => call("create", "--bundle", bundle, "--pid-file", pidFile, id));
      const pid = Number(fs.readFileSync(pidFile, "utf8"));
      timed(`${name} start`, () => call("start", id));
      timed(`${name} exec`, () => call("exec", id, "true"));
      timed(`${name} kill and delete`, () => {
        process.kill(pid, "SIGKILL"); // takes less than the program's own command
        while (!hasEnded(pid)); // and so does waiting without a pause
        call("delete", id);
      });
    } finally {
      fs.closeSync(log);
    }
  }

  function round() {
    execFileSync("ip", ["netns", "add", netns]);
    const result = timed("CNI ADD", add);
    for (const name of Object.keys(programs)) container(name);
    timed("CNI DEL", () => del(result));
    execFileSync("ip", ["netns", "delete", netns]);
  }

  return {
    /** By "CNI ADD", "CNI DEL" and such as "crun create": milliseconds. */
    figures,
    /** Nothing is kept of the first, which finds caches cold. */
    async measure(rounds) {
      for (let n = 0; n <= rounds; n++) {
        await turn(); // an interrupt is heard only between
        signal.throwIfAborted();
        round();
        if (n === 0) for (const key of Object.keys(figures)) figures[key] = [];
      }
    },
    /** Whatever a round that failed has left, too. */
    async remove() {
      for (const [name, program] of Object.entries(programs))
        if (fs.existsSync(path.join(place.state, name, containerId(name))))
          machine.output(program, [...global(name), "delete", "--force", containerId(name)]);
      if (fs.existsSync(path.join(PINNED, netns))) machine.output("ip", ["netns", "delete", netns]);
      // refused where somebody else has pinned one meanwhile
      if (!wasMounted && machine.mounts().some(({ point }) => point === PINNED)) machine.output("umount", [PINNED]);
      await machine.takeAway(place);
    },
    log: place.log,
    owned: [directory, place.bridge, place.network],
  };
}
