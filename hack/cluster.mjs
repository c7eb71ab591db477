#!/usr/bin/env node
// A Kubernetes cluster of one node on Berth, in namespaces of its own: processes, mounts, network, host name. A command
// runs in it (a shell, unless told otherwise), with kubectl and crictl set up; then all of it goes. What the node writes
// lies in build/cluster/ID; its cgroup is berth-cluster-ID. hack/build-kubernetes.sh makes the programs.
//
// usage: hack/cluster.mjs [--standalone] [--keep] [--runtime NAME] [--handler NAME] [--default-gates] [--] [COMMAND...]
//   --standalone     the kubelet alone, with static pods
//   --keep           leaves what the node wrote, to be looked into; so does a command that fails
//   --runtime NAME   containerd, which hack/build-containerd.sh makes, in the place of berth
//   --handler NAME   Berth's default runtime handler: crun or runc
//   --default-gates  the kubelet with its own feature gates, without events and statistics from the CRI
// Into a running cluster: nsenter --target PID --mount --net --pid --uts --ipc, with the PID that it prints.
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { makeCgroup, removeCgroup } from "./cluster/cgroups.mjs";
import { PROJECT } from "./cluster/node.cjs";
import { environment } from "./support/daemon.cjs";
import { uniqueId } from "./support/unique.cjs";

/** The kubelet sets them for the machine, for they belong to no namespace. */
const TUNABLES = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
].map((name) => `/proc/sys/${name}`);

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    standalone: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    runtime: { type: "string", default: "berth" },
    handler: { type: "string" },
    "default-gates": { type: "boolean", default: false },
  },
});
const command = positionals.length > 0 ? positionals : ["bash"];
if (!["berth", "containerd"].includes(options.runtime)) {
  console.error(`hack/cluster.mjs: no such runtime: ${options.runtime}; there are berth and containerd`);
  process.exit(2);
}
if (process.getuid() !== 0) {
  console.error("hack/cluster.mjs: a node needs root");
  process.exit(2);
}

const id = uniqueId();
const directory = path.join(PROJECT, "build/cluster", id);
const cgroup = `berth-cluster-${id}`;
const saved = TUNABLES.map((file) => [file, fs.readFileSync(file, "utf8")]);
fs.mkdirSync(directory, { recursive: true });
makeCgroup(cgroup);
makeCgroup(`${cgroup}/runtime`);

// bash is process 1 of the namespace, for it reaps what others leave. With unshare, all in the namespace ends.
const inside = [path.join(PROJECT, "hack/cluster/inside.mjs"), JSON.stringify({ directory, cgroup, ...options })];
const flags = ["--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--net", "--uts", "--ipc"];
const first = ["bash", "-c", '"$@"; exit $?', "bash", process.execPath, ...inside, ...command];
const child = spawn("unshare", [...flags, ...first], { stdio: "inherit", env: environment() });
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => child.kill("SIGKILL"));
// Process 1 of the node, which is the only child of unshare.
const children = `/proc/${child.pid}/task/${child.pid}/children`;
const tell = setInterval(() => {
  const pid = fs.existsSync(children) ? fs.readFileSync(children, "utf8").trim() : "";
  if (pid === "") return;
  console.error(`cluster: process 1 of the node is ${pid} here`);
  clearInterval(tell);
}, 50);
const status = await new Promise((resolve) => {
  child.once("error", (error) => {
    console.error(`hack/cluster.mjs: ${error.message}`);
    resolve(1);
  });
  child.once("exit", (code) => resolve(code ?? 1));
});
clearInterval(tell);
await removeCgroup(cgroup);
for (const [file, value] of saved) fs.writeFileSync(file, value);
if (options.keep || status !== 0) console.error(`kept: ${path.relative(PROJECT, directory)}`);
else fs.rmSync(directory, { recursive: true, force: true });
process.exit(status);
