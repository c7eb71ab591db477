#!/usr/bin/env node
// Runs critest against a Berth of its own, with the test images in a registry of its own that stands for every other.
// Leaves build/conformance/{junit.xml,summary.json,critest.log,berth.log}. Exits non-zero where a spec failed.
//
// usage: hack/conformance.mjs [--min-passed N] [--allow-failures] [--machine-runtime] [--keep] [critest's arguments]
//   --min-passed N      also fails where fewer than N specs passed
//   --allow-failures    failed specs are listed, and that is all; --min-passed still counts
//   --machine-runtime   runs pods by what is installed, not by the runc that the tests build for user namespaces
//   --keep              leaves the daemon's directory, to be looked into
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { environment, layOut, remove, start, stop } from "./support/daemon.cjs";
import { readSpecs } from "./support/junit.mjs";
import { startRegistry } from "./support/registry.cjs";
import { runtimeOptions } from "./support/runtime.cjs";
import { uniqueId } from "./support/unique.cjs";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const OUT = path.join(PROJECT, "build/conformance");
const JUNIT = path.join(OUT, "junit.xml");
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

/** Runs critest, its output both shown and kept. */
function runCritest(daemon, args, signal) {
  const temporary = path.join(daemon.directory, "tmp");
  fs.mkdirSync(temporary);
  const log = fs.createWriteStream(path.join(OUT, "critest.log"));
  const colour = process.stdout.isTTY ? [] : ["--ginkgo.no-color"];
  const own = [
    `--runtime-endpoint=${daemon.endpoint}`,
    `--image-endpoint=${daemon.endpoint}`,
    `--ginkgo.junit-report=${JUNIT}`,
    `--ginkgo.timeout=${LIMIT}`,
  ];
  const child = spawn(path.join(PROJECT, "build/tools/critest"), [...own, ...colour, ...args], {
    cwd: daemon.directory,
    env: { ...environment(), TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
    signal,
    killSignal: "SIGINT", // ginkgo then still cleans up and writes its report
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data) => {
      process.stdout.write(data);
      log.write(data);
    });
  return new Promise((resolve, reject) => {
    child.once("error", (error) => error.name !== "AbortError" && reject(error)).once("close", () => log.end(resolve));
  });
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

/** The line of gomega's report that says what happened. */
const gist = (reason) =>
  (reason.split("\n").find((line) => !/^\s*$|^Unexpected error:|^\s*<.*>: *$/.test(line)) ?? reason)
    .trim()
    .slice(0, 300);

function summarise(specs, log) {
  const of = (status) => specs.filter((spec) => spec.status === status);
  const count = (list) => Object.groupBy(list, (spec) => spec.reason || "no reason given");
  // What the command line left out says only "skipped"; benchmarks are no part of conformance.
  const reasons = Object.entries(count(of("skipped"))).map(([reason, list]) => [
    reason === "skipped" ? "not selected (benchmarks, or by the arguments)" : reason.replace(/^skipped - /, ""),
    list.length,
  ]);
  const summary = {
    total: specs.length,
    passed: of("passed").length,
    failed: of("failed").length,
    skipped: of("skipped").length,
    skippedBecause: Object.fromEntries(reasons),
    failures: of("failed").map(({ name, reason }) => ({ name, reason: gist(reason) })),
  };
  fs.writeFileSync(path.join(OUT, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
  for (const { name, reason } of summary.failures) console.log(`failed: ${name}\n        ${reason}`);
  console.log("\n| critest | specs |\n|---|---|");
  for (const status of ["passed", "failed", "skipped"]) console.log(`| ${status} | ${summary[status]} |`);
  for (const [reason, number] of reasons) console.log(`| skipped: ${reason} | ${number} |`);
  console.log(`\nreport: ${path.relative(PROJECT, JUNIT)}; daemon's log: ${path.relative(PROJECT, log)}`);
  return summary;
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
  await runCritest(daemon, options.critest, interrupt.signal);
  removePods(daemon);
} finally {
  if (daemon && !options.keep) await remove(daemon);
  else if (daemon) await stop(daemon);
  await registry?.stop();
  if (!options.keep) fs.rmSync(directory, { recursive: true, force: true });
  else console.log(`kept: ${directory}`);
}

if (!fs.existsSync(JUNIT)) {
  console.error("hack/conformance.mjs: critest left no report");
  process.exit(1);
}
const { passed, failed } = summarise(readSpecs(fs.readFileSync(JUNIT, "utf8")), log);
if (passed < options.minPassed)
  console.error(`hack/conformance.mjs: ${passed} specs passed, ${options.minPassed} are wanted`);
const good = passed >= options.minPassed && (failed === 0 || options.allowFailures) && !interrupt.signal.aborted;
process.exit(good ? 0 : 1);
