#!/usr/bin/env node
// Measures Berth beside containerd, each with its default OCI runtime, and Berth under containerd's runc too: same
// machine, images and network list, a registry of its own, turn by turn so that a machine that drifts is fair to all; and
// what none of them can go below there. Writes the tables into docs/benchmarks.md and plots beside it. Nothing is
// installed: Debian's containerd is unpacked into build/. Wants root; takes some 25 minutes.
// usage: hack/bench.mjs [--containerd built|debian] [--rounds 3] [--counts 1,10,100,300]
//                       [--out docs] [--json FILE] [--smoke]
//   --containerd S   which one: that of hack/build-containerd.sh, or Debian's; the first that is there by default
//   --rounds N       bursts of each size and starts of each daemon; pulls are four more
//   --counts N,...   pods for the plots; 100 is always among them
//   --out DIR        where the table and the plots go
//   --json FILE      every figure
//   --smoke          few pods, to see that it works; the figures mean nothing
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { barsFor } from "./bench/bars.mjs";
import { berthRuntime } from "./bench/berth.mjs";
import { containerdRuntime, containerdVersion, findContainerd } from "./bench/containerd.mjs";
import { measureFloor } from "./bench/floor.mjs";
import { pushBigImages, pushSmallImages } from "./bench/images.mjs";
import { measureImages } from "./bench/many-images.mjs";
import { Measured } from "./bench/measure.mjs";
import { writeReport } from "./bench/report.mjs";
import { makeCgroup, removeCgroup } from "./cluster/cgroups.mjs";
import { loadClient } from "./support/client.mjs";
import { layOut } from "./support/daemon.cjs";
import machine from "./support/machine.cjs";
import { startRegistry } from "./support/registry.cjs";
import { runtimeOptions } from "./support/runtime.cjs";
import { uniqueId } from "./support/unique.cjs";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    containerd: { type: "string", default: "" },
    rounds: { type: "string", default: "3" },
    counts: { type: "string", default: "1,10,100,300" },
    out: { type: "string", default: path.join(PROJECT, "docs") },
    json: { type: "string" },
    smoke: { type: "boolean", default: false },
  },
});
if (!["", "built", "debian"].includes(values.containerd)) {
  console.error("hack/bench.mjs: --containerd is built or debian");
  process.exit(2);
}

const MANY = 100;
const rounds = values.smoke ? 1 : Number(values.rounds);
const counts = [...new Set([...values.counts.split(",").map(Number), MANY])].sort((a, b) => a - b);
if (![rounds, ...counts].every((n) => Number.isInteger(n) && n > 0)) {
  console.error("hack/bench.mjs: --rounds wants a number, --counts numbers with commas between");
  process.exit(2);
}

/**
 * few, many: pods at once; most: pods that are listed; counts: of pods, for the plots; images: on a node; singles: pods one after the other,
 * and rounds of the floor; rounds: of bursts and starts; pulls: of each compression; lists, stats: calls.
 */
const SIZES = values.smoke
  ? {
      few: 2,
      many: 3,
      most: 4,
      counts: [1, 3],
      images: [2, 4],
      singles: 1,
      rounds: 1,
      pulls: 1,
      lists: 2,
      stats: 2,
      settleMs: 0,
      idleSeconds: 2,
      imageMib: 4,
      pageCacheMib: 4,
    }
  : {
      few: 20,
      many: MANY,
      most: 500,
      counts,
      images: [10, 1000, 10_000],
      singles: 20,
      rounds,
      pulls: rounds + 4,
      lists: 200,
      stats: 20,
      settleMs: 5000,
      idleSeconds: 60,
      imageMib: 600,
      pageCacheMib: os.totalmem() / 2 ** 20,
    };
/** A subnet of so many addresses that all pods have one. */
const PREFIX_LENGTH = 22;
const NAMES = { ours: "Berth, crun", theirs: "containerd, runc", sameRunc: "Berth, runc" };

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interrupt.abort(new Error("interrupted")));
const began = Date.now();
const say = (text) => console.error(`${((Date.now() - began) / 1000).toFixed(0).padStart(5)} s  ${text}`);

/** Each in turn, another one first each time. */
function* inTurn(measured, round) {
  for (let n = 0; n < measured.length; n++) yield measured[(n + round) % measured.length];
}

/** Pods one after the other. */
async function measureSingles(measured) {
  for (const one of measured) await one.single({ keep: false });
  for (let n = 0; n < SIZES.singles; n++) for (const one of inTurn(measured, n)) await one.single();
}

/** Bursts of each size; with all up in the last round, what depends on how many there are. */
async function measureBursts(measured) {
  const { few, many, counts, rounds, stats, settleMs, idleSeconds } = SIZES;
  const singles = Math.min(10, SIZES.singles);
  for (const count of [...new Set([...counts, few, many])].sort((a, b) => a - b)) {
    const isLargest = count > many; // once is enough
    for (let round = isLargest ? rounds - 1 : 0; round < rounds; round++) {
      for (const one of inTurn(measured, round)) {
        say(`${one.name}: ${count} at once`);
        const milliseconds = await one.burst(count);
        if (count === few) one.add("burstFew", milliseconds);
        if (count === many) one.add("burstMany", milliseconds);
        const seen = one.byPods.get(count) ?? { burst: [] };
        seen.burst.push(milliseconds);
        one.byPods.set(count, seen);
        if (round === rounds - 1 && counts.includes(count)) {
          const { daemon, monitors } = await one.looked(count, { settleMs, singles });
          if (count === many) {
            one.add("memory", daemon.mib + monitors.mib);
            await one.timeLists(["ListContainerStats", "ListPodSandboxStats", "ListPodSandboxMetrics"], stats);
            await one.idle(idleSeconds);
            for (let n = 0; n < rounds; n++) await one.restart();
          }
          if (count === counts.at(-1)) await measureLists(one);
        }
        await one.clear();
      }
    }
  }
}

/** Fills up to what is listed with pods that only have been made, which costs less. */
async function measureLists(one) {
  say(`${one.name}: lists`);
  while (one.pods.length < SIZES.most) {
    const some = Math.min(10, SIZES.most - one.pods.length);
    const made = Array.from({ length: some }, () => one.up({ hostNetwork: true, started: false }));
    one.pods.push(...(await Promise.all(made)));
  }
  await one.timeLists(["ListPodSandbox", "ListContainers"], SIZES.lists, { unkept: 2 * SIZES.lists });
}

/**
 * Has the page cache take all memory, as on a node that has run for a while: a virtual machine is slow to be given memory
 * that was never used, and then the later pulls would be quicker than the first.
 */
function fillPageCache() {
  const file = path.join(directory, "page-cache");
  fs.writeFileSync(file, "");
  fs.truncateSync(file, SIZES.pageCacheMib * 2 ** 20);
  execFileSync("sh", ["-c", 'cat "$0" >/dev/null', file]);
}

async function measurePulls(measured, images) {
  for (const compression of ["gzip", "zstd"]) {
    const key = { gzip: "pullGzip", zstd: "pullZstd" }[compression];
    for (let round = 0; round < SIZES.pulls; round++)
      for (const one of inTurn(measured, round)) {
        execFileSync("sync"); // what the one before has left to be written
        const seconds = await one.pull(images[compression][round]);
        say(`${one.name}: pulled ${compression} in ${seconds.toFixed(1)} s`);
        one.add(key, seconds);
      }
  }
}

/** What runs, is mounted, linked or ruled under one of the names. */
function leftovers(names) {
  const bears = (text) => names.some((name) => text.includes(name));
  const own = ({ args }) => !args.includes("hack/bench.mjs");
  return [
    ...machine
      .processes()
      .filter(own)
      .map(({ pid, args }) => `process ${pid} ${args}`),
    ...machine.mounts().map(({ point }) => `mount ${point}`),
    ...machine.links().map((link) => `link ${link}`),
    ...machine.iptablesRules("iptables").map((rule) => `rule ${rule}`),
    ...machine.cgroups().map((cgroup) => `cgroup ${cgroup}`),
  ].filter(bears);
}

const id = uniqueId();
const directory = path.join(PROJECT, "build", `bench-${id}`);
const cgroup = `berth-bench-${id}`;
const runtimes = [];
const owned = [directory, cgroup];
let measured = [];
let floor;
let floorPlace;
let registry;
let failed = false;
try {
  fs.mkdirSync(directory, { recursive: true });
  const load = os.loadavg()[0];
  const programs = findContainerd(values.containerd);
  const runc = runtimeOptions().handlers?.runc.path ?? "runc";
  const { Client } = await loadClient();
  registry = await startRegistry(path.join(directory, "registry"));
  const image = await pushSmallImages(registry);
  makeCgroup(cgroup);

  const place = (name) => ({
    directory: path.join(directory, name),
    registry: registry.url,
    prefixLength: PREFIX_LENGTH,
  });
  runtimes.push(berthRuntime({ name: NAMES.sameRunc, ...place("b"), Client, runc, handler: "runc" }));
  runtimes.push(containerdRuntime({ name: NAMES.theirs, ...place("c"), Client, runc, programs }));
  runtimes.push(berthRuntime({ name: NAMES.ours, ...place("r"), Client, runc, handler: "crun" }));
  for (const runtime of runtimes) {
    owned.push(...runtime.owned);
    await runtime.start();
    await runtime.client.image("PullImage", { image: { image } });
  }
  measured = runtimes.map(
    (runtime) => new Measured(runtime, { directory, cgroup: `/${cgroup}`, image, signal: interrupt.signal }),
  );
  say("one at a time");
  await measureSingles(measured);
  say("the floor");
  floorPlace = layOut(path.join(directory, "f"), { prefixLength: PREFIX_LENGTH });
  owned.push(floorPlace.bridge, floorPlace.network);
  floor = await measureFloor(
    {
      place: floorPlace,
      cgroup,
      programs: { crun: "crun", runc },
      rounds: { singles: SIZES.singles, bursts: SIZES.rounds },
      counts: [SIZES.few, SIZES.many],
    },
    { signal: interrupt.signal },
  );
  await measureBursts(measured);
  say("images");
  const images = await pushBigImages(registry, { unpackedMib: SIZES.imageMib, rounds: SIZES.pulls });
  fillPageCache();
  await measurePulls(measured, images);
  for (const one of measured) await one.clear();
  const manyImages = await measureImages({
    counts: SIZES.images,
    signal: interrupt.signal,
    say,
    async makeOne({ registry: url, image }) {
      const more = berthRuntime({ name: NAMES.ours, ...place("i"), registry: url, Client, runc, handler: "crun" });
      runtimes.push(more);
      owned.push(...more.owned);
      await more.start();
      return new Measured(more, { directory, cgroup: `/${cgroup}`, image, signal: interrupt.signal });
    },
  });

  const { runtimeVersion } = await runtimes[0].client.runtime("Version", {});
  const text = writeReport(path.resolve(values.out), {
    bars: barsFor(SIZES),
    measured,
    floor,
    images: manyImages,
    counts: SIZES.counts,
    many: SIZES.many,
    names: NAMES,
    circumstances: {
      date: new Date(began).toISOString(),
      load,
      berthVersion: runtimeVersion,
      containerdVersion: containerdVersion(programs),
      programs: [runc, "crun", "conmon"],
      images,
    },
  });
  console.log(text);
} catch (error) {
  failed = true;
  console.error(error.stack, error.cause ?? "");
  for (const { log } of runtimes) if (fs.existsSync(log)) console.error(fs.readFileSync(log, "utf8").slice(-3000));
} finally {
  if (values.json) {
    // what there is, whatever came then
    const all = measured.map(({ name, figures, byPods }) => [name, { figures, byPods: Object.fromEntries(byPods) }]);
    const json = { ...Object.fromEntries(all), floor };
    fs.writeFileSync(values.json, JSON.stringify(json, undefined, 1));
  }
  if (floorPlace) await machine.takeAway(floorPlace); // where its own process could not
  for (const runtime of runtimes) await runtime.remove();
  await registry?.stop();
  await removeCgroup(cgroup);
  fs.rmSync(directory, { recursive: true, force: true });
}
const left = leftovers(owned);
if (left.length > 0) console.error(`left behind:\n${left.join("\n")}`);
process.exit(failed || left.length > 0 ? 1 : 0);
