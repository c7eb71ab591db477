import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, jest, test } from "@jest/globals";
import type { Client } from "../../cri/client/client";
import { cgroupsOf } from "../../sys/cgroups";
import { processes } from "../../hack/support/machine.cjs";
import type { TestDaemon } from "../support/daemon";
import { podCalls } from "../support/pods";
import { testNode } from "../support/test-node";
import { uniqueId } from "../support/unique";

jest.setTimeout(60_000);

/** What of a daemon and its pods others on the host can reach. */
let daemon: TestDaemon;
let client: Client;
let image = "";
const pods = podCalls(() => ({ client, daemon, image }));
const { runPod, runContainer, statusOf, inside, processesOf, removePods } = pods;

const node = testNode(({ root, state }) => {
  // as another user's tool may have left them
  for (const directory of [root, state, path.join(root, "snapshots")]) {
    fs.mkdirSync(directory, { recursive: true });
    fs.chmodSync(directory, 0o777);
  }
});
beforeAll(() => {
  ({ daemon, client, image } = node);
});

const modeOf = (file: string) => fs.lstatSync(file).mode & 0o7777;

/** What of these paths somebody without rights can list, read, enter or connect to. */
function reachable(paths: string[]): Promise<string[]> {
  const script = 'for p; do { [ -r "$p" ] || [ -w "$p" ]; } && echo "$p"; done; :';
  const args = ["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", script, "sh", ...paths];
  return new Promise((resolve, reject) =>
    execFile("setpriv", args, (error, stdout) => (error ? reject(error) : resolve(stdout.split("\n").filter(Boolean)))),
  );
}

test("state, root, logs and sockets are root's alone, whatever their directories were before", async () => {
  // the directory of the test is another's affair
  fs.chmodSync(daemon.directory, 0o755);
  const pod = await runPod();
  const container = await runContainer(pod, { stdin: true });
  await inside(container, "cp /bin/busybox /stolen; chmod 4755 /stolen");
  const { logPath } = await statusOf(container);
  const open = [daemon.root, daemon.state, `${daemon.state}/sandboxes`, `${daemon.state}/containers`];
  expect(open.map((directory) => modeOf(directory).toString(8))).toEqual(open.map(() => "711"));
  const closed = [
    ...["content", "images", "layers", "snapshots", "volumes"].map((name) => path.join(daemon.root, name)),
    ...["exits", "runtimes"].map((name) => path.join(daemon.state, name)),
    path.join(daemon.state, "sandboxes", pod),
    path.join(daemon.state, "containers", container),
    path.join(daemon.directory, "cni-cache"),
  ];
  expect(closed.map((directory) => `${directory} ${modeOf(directory).toString(8)}`)).toEqual(
    closed.map((directory) => `${directory} 700`),
  );
  expect(modeOf(daemon.socket).toString(8)).toBe("660");
  expect(modeOf(path.dirname(logPath)) & 0o066).toBe(0);
  expect(modeOf(logPath) & 0o007).toBe(0);
  const others = [
    daemon.socket,
    logPath,
    ...fs.globSync(`${daemon.state}/{sandboxes,containers}/*/{,.}*`),
    path.join(daemon.state, "containers", container, "rootfs/stolen"),
    path.join(daemon.root, "snapshots", container, "upper/stolen"),
    ...fs.globSync(`${daemon.root}/{content,images,layers}/**`),
    path.join(daemon.root, "format.json"),
    path.join(daemon.state, "format.json"),
  ];
  expect(others.filter((file) => fs.existsSync(file)).length).toBeGreaterThan(20);
  // the first few tell enough
  expect((await reachable(others)).slice(0, 10)).toEqual([]);
  await removePods();
});

test("no socket is in the abstract namespace while pods run, commands are given and clients are attached", async () => {
  const pod = await runPod();
  const container = await runContainer(pod, { command: ["cat"], stdin: true });
  const { url } = await client.runtime("Attach", { containerId: container, stdin: true, stdout: true });
  const attached = new WebSocket(url.replace("http", "ws"), ["v5.channel.k8s.io"]);
  await new Promise((resolve, reject) => {
    attached.addEventListener("open", resolve);
    attached.addEventListener("error", reject);
  });
  const found = new Set<string>();
  let sockets = 0;
  let isOver = false;
  const commands = Promise.all(
    [1, 2, 3].map(() => client.runtime("ExecSync", { containerId: container, cmd: ["sleep", "0.5"] })),
  ).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const own = socketsOf(ownProcesses());
    for (const { inode, name } of unixSockets()) {
      if (!own.has(inode)) continue;
      sockets++;
      if (name.startsWith("@")) found.add(name);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await commands;
  attached.close();
  expect(sockets).toBeGreaterThan(0);
  expect([...found]).toEqual([]);
  await removePods();
});

/** The daemon, the monitors, and what they have started. */
function ownProcesses(): number[] {
  const all = processes();
  const own = new Set(
    all.filter(({ pid, args }) => pid === daemon.child!.pid || args.includes(daemon.state)).map(({ pid }) => pid),
  );
  for (let before = -1; before !== own.size; ) {
    before = own.size;
    for (const { pid, parent } of all) if (own.has(parent)) own.add(pid);
  }
  return [...own];
}

/** The inodes of the sockets that processes hold (proc_pid_fd(5)). */
function socketsOf(pids: number[]): Set<string> {
  const links = pids.flatMap((pid) =>
    fs.globSync(`/proc/${pid}/fd/*`).map((file) => {
      try {
        return fs.readlinkSync(file);
      } catch {
        return ""; // closed meanwhile
      }
    }),
  );
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

/** Those of the host's network namespace that have a name. */
const unixSockets = () =>
  fs
    .readFileSync("/proc/net/unix", "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([, , , , , , inode = "", name = ""]) => (name ? [{ inode, name }] : []));

test("a monitor is in no cgroup of its pod: a pod's memory is the pod's, and its end is told whatever it takes", async () => {
  const cgroupParent = `/berth-${uniqueId()}`;
  const pod = await runPod({ linux: { cgroupParent } });
  const linux = { resources: { memoryLimitInBytes: 20n << 20n } };
  const container = await runContainer(pod, { linux, command: ["sh", "-c", "sleep 0.3; exec tail /dev/zero"] });
  const { pid, monitorPid } = await processesOf(container);
  expect(Object.values(cgroupsOf(pid)).some((cgroup) => cgroup.startsWith(cgroupParent))).toBe(true);
  expect(Object.values(cgroupsOf(monitorPid)).filter((cgroup) => cgroup.includes(cgroupParent))).toEqual([]);
  expect(await pods.exited(container)).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
  await removePods();
});
