#!/usr/bin/env node
// Runs critest against a Berth of its own, with the test images in a registry of its own that stands for every other.
// Leaves build/conformance/{junit.xml,summary.json,critest.log,berth.log}. Exits non-zero where a spec failed.
//
// usage: hack/conformance.mjs [--min-passed N] [--allow-failures] [--machine-runtime] [--keep] [critest's arguments]
//   --min-passed N      also fails where fewer than N specs passed
//   --allow-failures    failed specs are listed, and that is all; --min-passed still counts
//   --machine-runtime   runs pods by what is installed, not by the runc that the tests build for user namespaces
//   --keep              leaves the daemon's directory, to be looked into
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { runCritest, summarise } from "./support/critest.mjs";
import { environment, layOut, remove, start, stop } from "./support/daemon.cjs";
import { startRegistry } from "./support/registry.cjs";
import { runtimeOptions } from "./support/runtime.cjs";
import { uniqueId } from "./support/unique.cjs";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const OUT = path.join(PROJECT, "build/conformance");
const LIMIT = "45m";

function readArguments(args) {
  const options = { minPassed: 0, allowFailures: false, machineRuntime: false, keep: false, critest: [] };
  for (let n = 0; n < args.length; n++) {
    const [name, value] = args[n].split("=");
    if (name === "--min-passed") options.minPassed = Number(value ?? args[++n]);
    else if (name === "--allow-failures") options.allowFailures = true;
    else if (name === "--machine-runtime") options.machineRuntime = true;
    else if (name === "--keep") options.keep = true;
    else options.critest.push(args[n]);
  }
  if (!Number.isInteger(options.minPassed)) {
    console.error("hack/conformance.mjs: --min-passed wants a number");
    process.exit(2);
  }
  return options;
}

/** Pods that failed specs left, by way of the CRI, so that address and rule go as they would on a node. */
function removePods(daemon) {
  try {
    const crictl = path.join(PROJECT, "build/tools/crictl");
    const endpoints = ["--runtime-endpoint", daemon.endpoint, "--image-endpoint", daemon.endpoint];
    execFileSync(crictl, [...endpoints, "--timeout", "60s", "rmp", "--all", "--force"], {
      stdio: "ignore",
      timeout: 120_000,
    });
  } catch {
    // what stays is taken away with the directory
  }
}

const options = readArguments(process.argv.slice(2));
if (process.getuid() !== 0) {
  console.error("hack/conformance.mjs: a container runtime needs root");
  process.exit(2);
}
const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interrupt.abort());

const directory = path.join(OUT, uniqueId());
fs.mkdirSync(directory, { recursive: true });
for (const old of ["junit.xml", "summary.json"]) fs.rmSync(path.join(OUT, old), { force: true });
const log = path.join(OUT, "berth.log");
let registry;
let daemon;
try {
  registry = await startRegistry(path.join(directory, "registry"));
  execFileSync(path.join(PROJECT, "hack/test-images.mjs"), [registry.url], {
    stdio: ["ignore", "ignore", "inherit"],
    env: environment(),
  });
  const configuration = { log: { level: "debug" }, runtime: options.machineRuntime ? {} : runtimeOptions() };
  daemon = layOut(directory, { registry: registry.url, options: configuration });
  daemon.log = log;
  fs.rmSync(log, { force: true });
  await start(daemon);
  const { endpoint } = daemon;
  await runCritest({ endpoint, out: OUT, directory, limit: LIMIT, args: options.critest, signal: interrupt.signal });
  removePods(daemon);
} finally {
  if (daemon && !options.keep) await remove(daemon);
  else if (daemon) await stop(daemon);
  await registry?.stop();
  if (!options.keep) fs.rmSync(directory, { recursive: true, force: true });
  else console.log(`kept: ${directory}`);
}

const { passed, failed } = summarise(OUT);
if (passed < options.minPassed)
  console.error(`hack/conformance.mjs: ${passed} specs passed, ${options.minPassed} are wanted`);
const good = passed >= options.minPassed && (failed === 0 || options.allowFailures) && !interrupt.signal.aborted;
process.exit(good ? 0 : 1);
