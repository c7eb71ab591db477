// What a runtime leaves on a machine: reading it, and taking away what is one's own.
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");

/** By what the kernel hurries its grace periods; Berth has it on while a pod is made or stopped. */
const EXPEDITED = "/sys/kernel/rcu_expedited";

const read = (file) => {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return ""; // gone meanwhile
  }
};

/** Runs a command that may fail or be missing; its output, or nothing. */
function output(command, args, input) {
  try {
    return execFileSync(command, args, { encoding: "utf8", input, stdio: ["pipe", "pipe", "ignore"] });
  } catch {
    return "";
  }
}

/** Mounts in their order, as { point, type, root }. See proc_pid_mountinfo(5). */
function mounts() {
  const plain = (text) => text.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
  return read("/proc/self/mountinfo")
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [before, after] = line.split(" - ").map((part) => part.split(" "));
      return { point: plain(before[4]), root: before[3], type: after[0] };
    });
}

/** Every process as { pid, parent, command, args }. */
function processes() {
  return fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      const status = read(`/proc/${pid}/status`);
      return {
        pid: Number(pid),
        parent: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0),
        // a zombie has ended, and waits for its parent alone
        command: /^State:\s+Z/m.test(status) ? "" : (/^Name:\s+(.*)/m.exec(status)?.[1] ?? ""),
        args: read(`/proc/${pid}/cmdline`).split("\0").join(" ").trim(),
      };
    })
    .filter((one) => one.command !== "");
}

/** The directories of cgroups, the hierarchies' own left out. */
function cgroups() {
  return mounts()
    .filter(({ type }) => type === "cgroup" || type === "cgroup2")
    .flatMap(({ point }) => directoriesBelow(point));
}

/** Others make and remove theirs while we look, so what is gone meanwhile has none. */
function directoriesBelow(directory) {
  let entries;
  try {
    entries = fs.readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENODEV") return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => path.join(directory, entry.name))
    .flatMap((inner) => [inner, ...directoriesBelow(inner)]);
}

/** The namespaces of one kind that processes are in, as "net:[4026531840]" to the first pid. */
function namespaces(kind) {
  const found = new Map();
  for (const { pid } of processes()) {
    try {
      const name = fs.readlinkSync(`/proc/${pid}/ns/${kind}`);
      if (!found.has(name)) found.set(name, pid);
    } catch {
      // gone meanwhile
    }
  }
  return found;
}

/** Names of network links of this network namespace. */
const links = () => fs.readdirSync("/sys/class/net");

/** Chains and rules as "TABLE -N CHAIN" and "TABLE -A ...". */
function iptablesRules(command) {
  let table = "";
  return output(`${command}-save`, [])
    .split("\n")
    .flatMap((line) => {
      if (line.startsWith("*")) table = line.slice(1);
      if (line.startsWith(":")) return [`${table} -N ${line.slice(1).split(" ")[0]}`];
      return line.startsWith("-A") ? [`${table} ${line}`] : [];
    });
}

const within = (directory) => (file) => file === directory || file.startsWith(`${directory}/`);

/** A monitor names its bundle in the directory; what it runs are its children, or share a namespace pinned there. */
function processesOf(directory) {
  const all = processes();
  const pinned = new Set(
    mounts()
      .filter(({ type, point }) => type === "nsfs" && within(directory)(point))
      .map((m) => m.root),
  );
  const inPinned = ({ pid }) =>
    ["net", "ipc", "uts", "pid", "user"].some((kind) => {
      try {
        return pinned.has(fs.readlinkSync(`/proc/${pid}/ns/${kind}`));
      } catch {
        return false;
      }
    });
  const own = new Set();
  for (const one of all)
    if ((one.command === "conmon" && one.args.includes(`${directory}/`)) || inPinned(one)) own.add(one.pid);
  for (let before = -1; before !== own.size; ) {
    before = own.size;
    for (const one of all) if (own.has(one.parent)) own.add(one.pid);
  }
  own.delete(process.pid);
  return [...own];
}

/** The cgroups that a process is in, as directories; never a hierarchy's own. */
function cgroupsOf(pid) {
  const own = read(`/proc/${pid}/cgroup`)
    .split("\n")
    .map((line) => line.split(":").slice(2).join(":"))
    .filter((one) => one.length > 1);
  return mounts()
    .filter(({ type }) => type.startsWith("cgroup"))
    .flatMap(({ point }) => own.map((one) => path.join(point, one)));
}

const CONTAINER_ID = /[0-9a-f]{64}/;

async function killAll(directory) {
  const groups = new Set();
  for (let waitedMs = 0; waitedMs < 5000; waitedMs += 50) {
    const pids = processesOf(directory);
    if (pids.length === 0) break;
    for (const pid of pids) {
      for (const group of cgroupsOf(pid)) groups.add(group);
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // gone meanwhile
      }
    }
    await sleep(50);
  }
  for (const group of [...groups].sort().reverse()) {
    if (!CONTAINER_ID.test(group)) continue; // a process may be in a cgroup that we share
    try {
      fs.rmdirSync(group);
    } catch {
      // not there in this hierarchy
    }
  }
}

function removeRules(network) {
  const bears = (rule) => rule.includes(`name: \\"${network}\\"`);
  const rules = iptablesRules("iptables").filter((rule) => rule.startsWith("nat "));
  const chains = [
    ...new Set(rules.filter(bears).flatMap((rule) => /-j (CNI-(?:DN-)?[0-9a-f]+)/.exec(rule)?.[1] ?? [])),
  ];
  const jumps = rules.filter((rule) => bears(rule) && !chains.some((chain) => rule.startsWith(`nat -A ${chain} `)));

  // portmap leaves the chains that all its pods share. They go with the last of them; a bridge of another daemon says
  // that its pods may be about to use them.
  const left = rules.filter((rule) => !jumps.includes(rule));
  const alone = !links().some((name) => /^(berth|cni)/.test(name));
  if (
    alone &&
    left.includes("nat -N CNI-HOSTPORT-DNAT") &&
    !left.some((rule) => rule.startsWith("nat -A CNI-HOSTPORT-DNAT "))
  ) {
    const shared = left.flatMap((rule) => /^nat -N (CNI-HOSTPORT-\w+)/.exec(rule)?.[1] ?? []);
    chains.push(...shared);
    jumps.push(...left.filter((rule) => /-j CNI-HOSTPORT-/.test(rule) && !/^nat -A CNI-/.test(rule)));
  }
  if (chains.length + jumps.length === 0) return;
  const lines = [
    ...jumps.map((rule) => rule.replace("nat -A", "-D")),
    ...chains.map((chain) => `-F ${chain}`),
    ...chains.map((chain) => `-X ${chain}`),
  ];
  output("iptables-restore", ["--noflush"], `*nat\n${lines.join("\n")}\nCOMMIT\n`);
}

/**
 * Ends what a reboot would end of a daemon with its root and state in a directory: processes, cgroups, mounts and with
 * them pinned namespaces, the bridge, iptables rules, what it set in the kernel. Files stay. The daemon must be stopped.
 */
async function powerOff({ directory, bridge, network }) {
  await killAll(directory);
  if (fs.existsSync(path.join(directory, "state/expedites-rcu"))) fs.writeFileSync(EXPEDITED, "0");
  const points = mounts()
    .map(({ point }) => point)
    .filter(within(directory))
    .reverse();
  for (const point of points) output("umount", ["-l", point]);
  for (const { type, point } of mounts()) {
    if (type !== "cgroup" && type !== "cgroup2") continue;
    try {
      fs.rmdirSync(path.join(point, "berth")); // the parent of pods that name none
    } catch {
      // another daemon's pods are in it, or it was never made
    }
  }
  if (links().includes(bridge)) output("ip", ["link", "delete", bridge]);
  removeRules(network);
}

/** The same, and the directory goes too. */
async function takeAway(daemon) {
  await powerOff(daemon);
  fs.rmSync(daemon.directory, { recursive: true, force: true });
}

module.exports = {
  EXPEDITED,
  output,
  mounts,
  processes,
  cgroups,
  namespaces,
  links,
  iptablesRules,
  powerOff,
  takeAway,
};
