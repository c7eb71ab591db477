#!/usr/bin/env node
// From nothing to a pod and back: starts a daemon in a directory of its own, imports an image made of Debian's busybox,
// runs a pod with a bridge network, asks it things, and takes everything away again.
import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { environment, layOut, remove, start } from "./support/daemon.cjs";
import { uniqueId } from "./support/unique.cjs";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const IMAGE = "docker.io/library/busybox:latest";
const SCRIPT = 'echo "hello from a pod on $(uname -sr)"; exec sleep 3600';

const directory = path.join(PROJECT, "build", `quickstart-${uniqueId()}`);
const step = (text) => console.log(`\n== ${text}`);
const run = promisify(execFile);
const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interrupt.abort(new Error("interrupted")));

/** Runs a command of Berth's; its output. */
async function berth(daemon, verb, ...args) {
  const command = [verb, "--config", daemon.configFile, ...args];
  const options = { env: environment(), signal: interrupt.signal, timeout: 60_000 };
  return (await run(path.join(PROJECT, "bin/berth"), command, options)).stdout;
}

/** The log's first lines, which may come a little after the start. */
async function firstLog(daemon, container) {
  for (let tries = 0; ; tries++) {
    const text = await berth(daemon, "logs", container);
    if (text !== "" || tries === 50) return text;
    await sleep(100);
  }
}

let daemon;
try {
  fs.mkdirSync(directory, { recursive: true });
  step("A daemon of its own");
  daemon = layOut(directory);
  await start(daemon);
  console.log(`listens on ${path.relative(PROJECT, daemon.socket)}`);

  step("An image from Debian's busybox-static");
  const archive = path.join(directory, "busybox.tar");
  await run(process.execPath, [path.join(PROJECT, "hack/make-busybox-archive.mjs"), archive, IMAGE]);
  process.stdout.write(await berth(daemon, "import", archive));

  step("A pod with a bridge network");
  const started = await berth(daemon, "run", "--detach", "--output", "json", IMAGE, "sh", "-c", SCRIPT);
  const { containerId, ip } = JSON.parse(started);
  console.log(`address: ${ip}`);
  process.stdout.write(await berth(daemon, "ps"));

  step("Its log");
  process.stdout.write(await firstLog(daemon, containerId));

  step("A command inside it");
  process.stdout.write(await berth(daemon, "exec", containerId, "sh", "-c", "hostname; ip -4 -o addr show eth0"));

  step("And back to nothing");
  await berth(daemon, "rm", containerId);
} catch (error) {
  console.error(`quickstart: ${error.stderr || error.message}`);
  if (daemon && fs.existsSync(daemon.log)) console.error(fs.readFileSync(daemon.log, "utf8"));
  process.exitCode = 1;
} finally {
  if (daemon) await remove(daemon);
  fs.rmSync(directory, { recursive: true, force: true });
}
if (!process.exitCode) console.log("nothing is left: no process, mount, namespace, cgroup, bridge or file");
