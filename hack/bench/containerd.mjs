// A containerd of its own, to be measured beside Berth: Debian's, unpacked and not installed, or the newer one that
// hack/build-containerd.sh makes.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { environment, layOut, stop, tomlDocument } from "../support/daemon.cjs";
import machine from "../support/machine.cjs";
import { startServer } from "./server.mjs";

const BUILD = fileURLToPath(new URL("../../build", import.meta.url));
/** Where Debian and Kubernetes have CNI plugins. */
export const PLUGINS = ["/usr/lib/cni", "/opt/cni/bin"].find((directory) =>
  fs.existsSync(path.join(directory, "bridge")),
);
/** What containerd and its CNI library make outside of what they are given, innermost first. */
const STRAYS = ["/run/containerd/s", "/run/containerd", "/var/lib/cni/results", "/var/lib/cni"];
const PAUSE = "registry.k8s.io/pause:3.10";

/** The directory with containerd and its shim. @param source "built", "debian", or "" for the first that is there */
export function findContainerd(source) {
  const built = path.join(BUILD, "containerd");
  if (source === "built" || (source === "" && fs.existsSync(path.join(built, "containerd-shim-runc-v2")))) return built;
  const unpacked = path.join(BUILD, "containerd-debian");
  const programs = path.join(unpacked, "usr/bin");
  if (fs.existsSync(path.join(programs, "containerd-shim-runc-v2"))) return programs;
  fs.rmSync(unpacked, { recursive: true, force: true });
  fs.mkdirSync(unpacked, { recursive: true });
  const download = () => execFileSync("apt-get", ["download", "containerd"], { cwd: unpacked, stdio: "pipe" });
  try {
    download();
  } catch {
    execFileSync("apt-get", ["update"], { stdio: "pipe" }); // the package lists may be old or absent
    download();
  }
  const [archive] = fs.readdirSync(unpacked).filter((name) => name.endsWith(".deb"));
  execFileSync("dpkg", ["-x", archive, "."], { cwd: unpacked });
  return programs;
}

/** Such as "2.4.2". */
export const containerdVersion = (programs) =>
  /\bv?(\d+\.\d+\.\d+\S*)/.exec(
    execFileSync(path.join(programs, "containerd"), ["--version"], { encoding: "utf8" }),
  )?.[1] ?? "unknown";

function configuration(place, { version, runc }) {
  const { directory, root, state, socket, confDir: conf_dir, certsDir: config_path } = place;
  const options = { BinaryName: runc, Root: path.join(state, "runc"), SystemdCgroup: false };
  const containerd = { runtimes: { runc: { runtime_type: "io.containerd.runc.v2", options } } };
  // without CAP_SYS_RESOURCE; and pods' network namespaces where all else is
  const shared = { restrict_oom_score_adj: true, netns_mounts_under_state_dir: true, containerd };
  const opt = { '"io.containerd.internal.v1.opt"': { path: path.join(directory, "opt") } };
  const head = { root, state, grpc: { address: socket } };
  if (version.startsWith("1.")) {
    const cni = { bin_dir: PLUGINS, conf_dir };
    const cri = { sandbox_image: PAUSE, registry: { config_path }, cni, ...shared };
    return { version: 2, ...head, plugins: { ...opt, '"io.containerd.grpc.v1.cri"': cri } };
  }
  const plugins = {
    ...opt,
    '"io.containerd.nri.v1.nri"': { disable: true },
    '"io.containerd.cri.v1.images"': { pinned_images: { sandbox: PAUSE }, registry: { config_path } },
    '"io.containerd.cri.v1.runtime"': { cni: { bin_dirs: [PLUGINS], conf_dir }, ...shared },
  };
  return { version: 3, ...head, plugins };
}

/** Ends shims that are left, with what they run. */
async function endShims(isShim) {
  for (let waitedMs = 0; waitedMs < 5000; waitedMs += 50) {
    const all = machine.processes();
    const shims = all.filter(({ args }) => isShim(args)).map(({ pid }) => pid);
    const pids = all.filter(({ pid, parent }) => shims.includes(pid) || shims.includes(parent)).map(({ pid }) => pid);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // gone meanwhile
      }
    }
    await sleep(50);
  }
}

/** @param source { name, directory, registry, prefixLength, Client, programs, runc } */
export function containerdRuntime({ name, directory, registry, prefixLength, Client, programs, runc }) {
  const place = layOut(directory, { registry, prefixLength });
  const file = path.join(directory, "containerd.toml");
  fs.writeFileSync(file, tomlDocument(configuration(place, { version: containerdVersion(programs), runc })));
  fs.mkdirSync(place.state);
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", place.state]);
  const strays = STRAYS.filter((one) => !fs.existsSync(one));
  const isShim = (args) => args.includes("containerd-shim-runc-v2 ") && args.includes(`${directory}/`);
  return {
    name,
    client: undefined,
    pid: () => place.child.pid,
    monitorOf: isShim,
    async start() {
      const env = { ...environment(), PATH: `${programs}:${process.env.PATH}` };
      const command = [path.join(programs, "containerd"), "--config", file];
      const { socket, log } = place;
      const started = await startServer({ command, env, log, socket, Client });
      place.child = started.child;
      this.client = started.client;
      return started.milliseconds;
    },
    async stop() {
      this.client?.close();
      await stop(place);
    },
    async remove() {
      await this.stop();
      await endShims(isShim);
      await machine.takeAway(place);
      for (const one of strays) {
        try {
          fs.rmdirSync(one);
        } catch {
          // never made, or used by somebody else meanwhile
        }
      }
    },
    log: place.log,
    owned: [directory, place.bridge, place.network],
  };
}
