#!/usr/bin/env node
// A long life in short: thousands of pods come and go on one daemon. Tells what it takes and holds as it goes, and whether
// its memory has grown or something was left. Exits non-zero where so.
// usage: hack/soak.mjs [--lifecycles 5000] [--every 500] [--at-once 4] [--no-memory]
//   --lifecycles N    pods that come and go
//   --every N         after so many the daemon is left alone and looked at
//   --at-once N       pods at a time
//   --no-memory       memory is told and not judged: there are too few lives to tell growth from warming up
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { removeCgroup } from "./cluster/cgroups.mjs";
import { busyboxEntries, SHELL } from "./images/busybox.cjs";
import { makeImage, makeLayer } from "./images/image.cjs";
import { pushImage } from "./images/push.cjs";
import { askProbe, holdings, memoryOf, surplus } from "./soak/footprint.mjs";
import { live } from "./soak/lifecycle.mjs";
import { loadClient } from "./support/client.mjs";
import { environment, layOut, remove, start } from "./support/daemon.cjs";
import { startRegistry } from "./support/registry.cjs";
import { uniqueId } from "./support/unique.cjs";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
/** Lives before the first look: each thing that happens now and then has happened, so all is loaded that ever will be. */
const WARM_UP = 30;
/** Memory may differ by so much from that of the first look. */
const TOLERANCE = 0.15;
/** Connections, worker threads and the like may take so long to go. */
const SETTLE_MS = 45_000;

const { values } = parseArgs({
  options: {
    lifecycles: { type: "string", default: "5000" },
    every: { type: "string", default: "500" },
    "at-once": { type: "string", default: "4" },
    "no-memory": { type: "boolean", default: false },
  },
});
const [lifecycles, every, atOnce] = ["lifecycles", "every", "at-once"].map((name) => Number(values[name]));
if (![lifecycles, every, atOnce].every((n) => Number.isInteger(n) && n > 0)) {
  console.error("hack/soak.mjs: --lifecycles, --every and --at-once want a number");
  process.exit(2);
}

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interrupt.abort(new Error("interrupted")));

const id = uniqueId();
const directory = path.join(PROJECT, "build", `soak-${id}`);
const cgroup = `/berth-soak-${id}`;
const probe = path.join(directory, "probe.sock");

async function fillRegistry({ url, address }) {
  const base = makeLayer(busyboxEntries("/bin/busybox"));
  const push = async (name, layers) => {
    await pushImage(url, name, ["1"], makeImage({ layers, config: SHELL }));
    return `${address}/${name}:1`;
  };
  const image = await push("soak/busybox", [base]);
  const extra = [];
  for (let n = 0; n < 4; n++) {
    const layer = makeLayer([{ path: `extra-${n}`, body: Buffer.alloc(256 << 10, n) }], n % 2 ? "zstd" : "gzip");
    extra.push(await push(`soak/extra-${n}`, [base, layer]));
  }
  return { image, extra };
}

/** Lives the lives from one number to before another, so many at once. */
async function liveAll(from, to, soak) {
  let next = from;
  const worker = async () => {
    while (next < to) {
      interrupt.signal.throwIfAborted();
      const number = next++;
      await live(number, soak).catch((error) => {
        throw new Error(`life ${number}: ${error.message}`, { cause: error });
      });
    }
  };
  const results = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  const failed = results.find(({ status }) => status === "rejected");
  if (failed) throw failed.reason;
}

/** What the daemon has more of than before, once it has had time to let go. */
async function left(daemon, before) {
  const until = Date.now() + SETTLE_MS;
  for (;;) {
    const more = surplus(await holdings(daemon, { probe, cgroup }), before);
    if (more.length === 0 || Date.now() > until) return more;
    await sleep(500, undefined, { signal: interrupt.signal });
  }
}

const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
const percent = (ratio) => `${ratio >= 0 ? "+" : ""}${(ratio * 100).toFixed(1)} %`;

let problems = 0;
function report(problem) {
  problems++;
  console.log(problem);
}

let registry;
let daemon;
try {
  fs.mkdirSync(directory, { recursive: true });
  const { Client, runExec } = await loadClient();
  registry = await startRegistry(path.join(directory, "registry"));
  const { image, extra } = await fillRegistry(registry);
  daemon = layOut(directory, { registry: registry.url });
  const preload = path.join(PROJECT, "hack/soak/probe.cjs");
  daemon.env = { ...environment(), NODE_OPTIONS: `--require=${preload}`, BERTH_PROBE: probe };
  await start(daemon);
  const client = new Client(daemon.socket);
  await client.image("PullImage", { image: { image } });
  // an image is not removed under another life that uses it
  let pulls = 0;
  const extraImage = () => extra[pulls++ % extra.length];
  const soak = { client, runExec, directory, cgroup, image, extraImage };

  await liveAll(1, WARM_UP + 1, soak);
  await sleep(1000, undefined, { signal: interrupt.signal });
  const atRest = await holdings(daemon, { probe, cgroup });

  console.log(
    "| lives | own memory, MiB | to the first look's | PSS | RSS | JS heap | descriptors | threads | left over |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|");
  let first;
  const began = Date.now();
  for (let done = 0; done < lifecycles; ) {
    const upTo = Math.min(done + every, lifecycles);
    await liveAll(WARM_UP + 1 + done, WARM_UP + 1 + upTo, soak);
    done = upTo;
    const more = await left(daemon, atRest);
    const { heapUsedBytes } = await askProbe(probe);
    const { pid } = daemon.child;
    const { anonymousBytes, pssBytes, rssBytes } = memoryOf(pid);
    first ??= anonymousBytes;
    const growth = anonymousBytes / first - 1;
    const figures = [anonymousBytes, pssBytes, rssBytes, heapUsedBytes].map(mib);
    const [fds, threads] = ["fd", "task"].map((name) => fs.readdirSync(`/proc/${pid}/${name}`).length);
    console.log(
      `| ${[done, figures[0], percent(growth), ...figures.slice(1), fds, threads, more.length].join(" | ")} |`,
    );
    for (const one of more) report(`after ${done} lives: ${one}`);
    if (growth > TOLERANCE && !values["no-memory"])
      report(`after ${done} lives: ${figures[0]} MiB, ${percent(growth)} of the first look's`);
  }
  const seconds = (Date.now() - began) / 1000;
  const { items } = await client.runtime("ListPodSandbox", {});
  if (items.length > 0) report(`${items.length} pods are still listed`);
  client.close();
  console.log(`\n${lifecycles} lives in ${seconds.toFixed(0)} s, ${atOnce} at once, ${new Date().toISOString()}`);
} catch (error) {
  report(error.stack);
  if (daemon && fs.existsSync(daemon.log)) console.error(fs.readFileSync(daemon.log, "utf8").slice(-4000));
} finally {
  if (daemon) await remove(daemon);
  await registry?.stop();
  await removeCgroup(cgroup.slice(1));
  fs.rmSync(directory, { recursive: true, force: true });
}
if (problems === 0) console.log("nothing was left over");
process.exit(problems === 0 ? 0 : 1);
