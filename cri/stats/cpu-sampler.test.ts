import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type CgroupTree, cgroupTree } from "../../sys/cgroup-tree.fixture";
import { nowNs } from "../clock";
import { CpuSampler } from "./cpu-sampler";

let tree: CgroupTree;
let sampler: CpuSampler;
let writer: NodeJS.Timeout;

beforeEach(() => {
  tree = cgroupTree("v1");
  sampler = new CpuSampler(tree.cgroups, { intervalMs: 20, firstSpanMs: 50, idleMs: 150 });
  const began = process.hrtime.bigint();
  // half a core, always
  const use = () => tree.write("cpuacct", "cpuacct.usage", `${(process.hrtime.bigint() - began) / 2n}\n`);
  use();
  writer = setInterval(use, 1);
});
afterEach(() => {
  clearInterval(writer);
  sampler.stop();
  tree.remove();
});

test("use() knows at the first question", async () => {
  const before = Number(nowNs());
  const { timestamp, usageNs, nanoCores } = (await sampler.use([{ id: "c", cgroups: tree.paths }])).get("c")!;
  expect(Number(nanoCores)).toBeGreaterThan(0.3e9);
  expect(Number(nanoCores)).toBeLessThan(0.7e9);
  expect(usageNs).toBeGreaterThan(0n);
  expect(Number(timestamp)).toBeGreaterThan(before);
});

test("use() waits only for what it has not been asked for before", async () => {
  await sampler.use([{ id: "c", cgroups: tree.paths }]);
  const began = performance.now();
  await sampler.use([{ id: "c", cgroups: tree.paths }]);
  expect(performance.now() - began).toBeLessThan(30);
});

test("use() leaves out what is gone, and does not wait for it", async () => {
  const began = performance.now();
  const uses = await sampler.use([{ id: "gone", cgroups: { cpuacct: "/nowhere" } }]);
  expect(uses.size).toBe(0);
  expect(performance.now() - began).toBeLessThan(30);
});

test("sampling ends when nobody asks any more, and the next question starts it again", async () => {
  await sampler.use([{ id: "c", cgroups: tree.paths }]);
  await new Promise((resolve) => setTimeout(resolve, 250));
  const began = performance.now();
  expect((await sampler.use([{ id: "c", cgroups: tree.paths }])).has("c")).toBe(true);
  expect(performance.now() - began).toBeGreaterThan(45);
});
