#!/usr/bin/env node
// In the virtual machine: starts Berth by its systemd unit, as on a node, runs the tests that want systemd with cgroup v2,
// and critest, and looks for what they leave behind. Leaves in DIRECTORY what hack/conformance.mjs leaves, and jest.json.
// usage: hack/vm/guest.mjs DIRECTORY [critest's arguments]
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { runCritest } from "../support/critest.mjs";
import { startRegistry } from "../support/registry.cjs";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const ENDPOINT = "unix:///run/berth/berth.sock";
/** Everything is slow here. */
const LIMIT = "3h";

const [out, ...critestArguments] = process.argv.slice(2);
const run = (command, ...args) => execFileSync(command, args, { stdio: "inherit" });

/** Lays out what an administrator would: a configuration, a network, a mirror that stands for every registry, the unit. */
function install(registry) {
  for (const directory of ["/etc/berth/certs.d/_default", "/etc/cni/net.d"])
    fs.mkdirSync(directory, { recursive: true });
  fs.writeFileSync("/etc/berth/config.toml", '[log]\nlevel = "debug"\n');
  const hosts = `server = "${registry}"\n[host."${registry}"]\ncapabilities = ["pull", "resolve"]\n`;
  fs.writeFileSync("/etc/berth/certs.d/_default/hosts.toml", hosts);
  fs.cpSync(path.join(PROJECT, "manifests/cni"), "/etc/cni/net.d", { recursive: true });
  fs.copyFileSync(path.join(PROJECT, "manifests/systemd/berth.service"), "/etc/systemd/system/berth.service");
  run("systemctl", "daemon-reload");
}

async function waitUntilReady() {
  const crictl = path.join(PROJECT, "build/tools/crictl");
  for (let tries = 0; ; tries++) {
    const { status, stderr } = spawnSync(crictl, ["--runtime-endpoint", ENDPOINT, "version"], { encoding: "utf8" });
    if (status === 0) return;
    if (tries === 60) throw new Error(`berth.service does not answer: ${stderr}`);
    await sleep(1000);
  }
}

/** Runs the integration tests for which this is the machine; whether they passed. */
function runTests() {
  const jest = path.join(PROJECT, "node_modules/jest/bin/jest.js");
  const report = path.join(out, "jest.json");
  const names = ["systemd", "cgroup-v2", "apparmor", "mapped-layers"].map((name) => `test/integration/${name}.test.ts`);
  const args = ["--selectProjects=integration", "--runInBand", "--json", `--outputFile=${report}`, "--runTestsByPath"];
  // on the disk: /tmp is in memory
  const options = { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, TMPDIR: "/var/tmp" } };
  const { status } = spawnSync(process.execPath, [jest, ...args, ...names], options);
  return status === 0;
}

/** What plugins keep on a node once there was a pod: the bridge, host-local's directories, portmap's common chains. */
const FURNITURE =
  /: (link berth0|file \/var\/lib\/cni\/networks(\/berth)?|rule iptables nat (?!-A CNI-HOSTPORT-DNAT).*CNI-HOSTPORT-.*)$/;

/** By "save" and "compare"; what was left behind between the two. */
function leakCheck(verb) {
  const script = path.join(PROJECT, "hack/leak-check.mjs");
  const { stdout } = spawnSync(process.execPath, [script, verb, path.join(out, "before.json")], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => line !== "" && !FURNITURE.test(line));
}

let failed = false;
const registry = await startRegistry(path.join(out, "registry"));
try {
  install(registry.url);
  run("systemctl", "start", "berth");
  await waitUntilReady();
  leakCheck("save");
  if (!runTests()) failed = true;
  await runCritest({ endpoint: ENDPOINT, out, directory: "/var/tmp", limit: LIMIT, args: critestArguments });
  const left = leakCheck("compare");
  if (left.length > 0) failed = true;
  for (const line of left) console.log(line);
} finally {
  const journal = fs.openSync(path.join(out, "berth.log"), "w");
  spawnSync("journalctl", ["--unit", "berth", "--output", "cat"], { stdio: ["ignore", journal, "inherit"] });
  fs.closeSync(journal);
  await registry.stop();
}
process.exit(failed ? 1 : 0);
