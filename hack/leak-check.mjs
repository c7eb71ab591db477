#!/usr/bin/env node
// Whether a run left something on the machine: mounts, namespaces, cgroups, processes, links, iptables rules, settings, files.
// usage: hack/leak-check.mjs save FILE        before the run
//        hack/leak-check.mjs compare FILE     after it; prints what is new and exits 1 if there is something
import fs from "node:fs";
import { EXPEDITED, cgroups, iptablesRules, links, mounts, namespaces, processes } from "./support/machine.cjs";

/** The programs of a container runtime. Other new processes are somebody else's. */
const COMMANDS =
  /^(berth|berthd|conmon|crun|runc|critest|crictl|docker-registry|busybox|pause|nnp|nginx|kube|etcd|containerd)/;
/** ip(8) makes it and mounts it over itself for the first `ip netns add` of a machine, and leaves it to all others. */
const NETNS = "/run/netns";
/** Where such programs leave files outside what they are given. */
const PLACES = ["/run", "/run/lock", NETNS, "/var/lib", "/var/lib/cni", "/var/lib/cni/networks", "/etc/cni/net.d"];
/** A container's or pod's cgroup; test.slice is critest's. Those that come and go with sessions and services are somebody else's. */
const CGROUPS = /[0-9a-f]{64}|berth|kubepods|conmon|crun|runc|\/k8s|\/test\.slice/;
const TEMPORARY = /^(berth|cri-|critest|podLogTest|seccomp-tests|apparmor|conmon)/;

const list = (directory) => {
  try {
    return fs.readdirSync(directory).map((name) => `${directory}/${name}`);
  } catch {
    return [];
  }
};

function snapshot() {
  const chains = ["iptables", "ip6tables"].flatMap((command) =>
    iptablesRules(command)
      .filter((rule) => rule.includes("CNI-") || rule.includes("berth"))
      .map((rule) => `${command} ${rule}`),
  );
  return {
    mount: mounts()
      .filter(({ point }) => point !== NETNS)
      .map(({ point, type }) => `${point} (${type})`),
    "network namespace": [...namespaces("net").keys()],
    cgroup: cgroups().filter((one) => CGROUPS.test(one)),
    process: processes()
      .filter(({ command, args }) => COMMANDS.test(command) || /\bberth (serve|run)\b/.test(args))
      .map(({ pid, command, args }) => `${pid} ${command}: ${args}`.slice(0, 200)),
    link: links(),
    rule: chains,
    setting: [`rcu_expedited ${fs.readFileSync(EXPEDITED, "utf8").trim()}`],
    file: [
      ...PLACES.flatMap(list).filter((one) => one !== NETNS),
      ...list("/tmp").filter((file) => TEMPORARY.test(file.slice("/tmp/".length))),
    ],
  };
}

const [verb, file] = process.argv.slice(2);
if (verb === "save" && file) {
  fs.writeFileSync(file, JSON.stringify(snapshot()));
} else if (verb === "compare" && file) {
  const before = JSON.parse(fs.readFileSync(file, "utf8"));
  const left = Object.entries(snapshot()).flatMap(([kind, now]) => {
    const known = new Set(before[kind]);
    return now.filter((one) => !known.has(one)).map((one) => `left behind: ${kind} ${one}`);
  });
  if (left.length > 0) {
    console.log(left.join("\n"));
    process.exit(1);
  }
} else {
  console.error("usage: hack/leak-check.mjs save|compare FILE");
  process.exit(2);
}
