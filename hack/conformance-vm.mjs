#!/usr/bin/env node
// Runs critest against Berth on a Debian 13 node in a virtual machine: systemd as the cgroup driver, cgroup v2, AppArmor.
// Leaves build/conformance-vm/{junit.xml,summary.json,critest.log,berth.log,console.log}. Exits non-zero where something
// failed. Some three quarters of an hour where the machine is emulated.
//
// usage: hack/conformance-vm.mjs [critest's arguments]
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { summarise } from "./support/critest.mjs";
import { environment } from "./support/daemon.cjs";
import { startRegistry } from "./support/registry.cjs";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const OUT = path.join(PROJECT, "build/conformance-vm");
const LIMIT_S = 3.5 * 3600;

const at = (name) => path.join(PROJECT, name);
fs.rmSync(OUT, { recursive: true, force: true });
fs.mkdirSync(OUT, { recursive: true });

// the machine serves them by a registry of its own
const registry = await startRegistry(path.join(OUT, "registry"));
try {
  const options = { stdio: ["ignore", "ignore", "inherit"], env: environment() };
  execFileSync(at("hack/test-images.mjs"), [registry.url], options);
} finally {
  await registry.stop();
}
const words = process.argv.slice(2).map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
fs.writeFileSync(
  path.join(OUT, "run.sh"),
  `mkdir -p /mnt/project
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose project /mnt/project
exec bash /mnt/project/hack/vm/run.sh ${words.join(" ")}
`,
);
const log = path.relative(PROJECT, path.join(OUT, "out.log"));
console.log(`booting; ${log} tells how far it is`);
const shares = [`project=${PROJECT}`, `modules=${at("node_modules")}`];
const { status } = spawnSync(at("hack/vm/boot.sh"), [OUT, String(LIMIT_S), ...shares], { stdio: "inherit" });
const { failed } = summarise(OUT);
if (status !== 0) console.error(`hack/conformance-vm.mjs: the machine's job failed: see ${log}`);
process.exit(status === 0 && failed === 0 ? 0 : 1);
