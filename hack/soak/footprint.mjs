// What a daemon takes and holds: memory, descriptors, timers, threads, and all that it has made on the machine.
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import machine from "../support/machine.cjs";

/** Asks the probe in the daemon (probe.cjs). */
export function askProbe(socket, request = "report") {
  return new Promise((resolve, reject) => {
    const connection = net.connect(socket, () => connection.write(`${request}\n`));
    let text = "";
    connection.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    connection.on("error", reject).on("end", () => resolve(JSON.parse(text)));
  });
}

/**
 * Memory of a process in bytes: what it has for itself, that and its share of what others map too, and all that it maps.
 * The share depends on how many others there are, such as other programs on the same Node.js. See proc_pid_smaps(5).
 */
export function memoryOf(pid) {
  const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const bytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? 0) * 1024;
  return { anonymousBytes: bytes("Anonymous"), pssBytes: bytes("Pss"), rssBytes: bytes("Rss") };
}

const count = (names) => {
  const counts = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

/** Open descriptors by what they are: a path, "socket", "pipe", "anon_inode:[timerfd]". */
function descriptors(pid) {
  const directory = `/proc/${pid}/fd`;
  return count(
    fs.readdirSync(directory).flatMap((fd) => {
      try {
        return [fs.readlinkSync(path.join(directory, fd)).replace(/^(socket|pipe):\[\d+\]$/, "$1")];
      } catch {
        return []; // closed meanwhile
      }
    }),
  );
}

const within = (directory) => (file) => file === directory || file.startsWith(`${directory}/`);

function files(directory) {
  if (!fs.existsSync(directory)) return [];
  return fs.readdirSync(directory, { recursive: true }).map((name) => path.join(directory, name));
}

/** The veth ends on a bridge. */
function ports(bridge) {
  const directory = `/sys/class/net/${bridge}/brif`;
  return fs.existsSync(directory) ? fs.readdirSync(directory) : [];
}

/**
 * Everything that one pod takes and gives back, by kind and name to how often it is there. Of a daemon at rest it is the
 * same at any time.
 * @param cgroup the parent of its pods, as the CRI names it
 */
export async function holdings(daemon, { probe, cgroup }) {
  const { pid } = daemon.child;
  const { activeResources } = await askProbe(probe);
  const own = within(daemon.directory);
  const cache = path.join(daemon.directory, "cni-cache");
  const held = {
    resource: activeResources,
    descriptor: descriptors(pid),
    thread: { all: fs.readdirSync(`/proc/${pid}/task`).length },
    child: count(
      machine
        .processes()
        .filter(({ parent, args }) => parent === pid || args.includes(`${daemon.directory}/state`))
        .map(({ command }) => command),
    ),
    mount: count(
      machine
        .mounts()
        .map(({ point }) => point)
        .filter(own),
    ),
    link: count(ports(daemon.bridge)),
    cgroup: count(machine.cgroups().filter((one) => one.includes(cgroup))),
    rule: count(machine.iptablesRules("iptables").filter((rule) => rule.includes(daemon.network))),
    file: count([daemon.root, daemon.state, daemon.ipamDir, cache].flatMap(files)),
  };
  return new Map(
    Object.entries(held).flatMap(([kind, counts]) => Object.entries(counts).map(([name, n]) => [`${kind} ${name}`, n])),
  );
}

/** What one has more of than the other, as texts. */
export function surplus(now, before) {
  return [...now]
    .map(([name, n]) => ({ name, n, known: before.get(name) ?? 0 }))
    .filter(({ n, known }) => n > known)
    .map(({ name, n, known }) => `${name}: ${n}, ${known} before`);
}
