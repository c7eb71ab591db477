import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Cgroups, cutCgroups } from "./cgroups";

let base: string;
let cgroups: Cgroups;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), "berth-cgroups-"));
  for (const controller of ["memory", "pids"]) fs.mkdirSync(path.join(base, controller));
  const controllers = new Map(["memory", "pids"].map((name) => [name, path.join(base, name)]));
  cgroups = new Cgroups({ version: "v1", unified: undefined, controllers });
});
afterEach(() => fs.rmSync(base, { recursive: true }));
const exists = (cgroup: string) => fs.existsSync(path.join(base, "memory", cgroup));

test("ensure() makes what is missing in every hierarchy and says what is ours", () => {
  for (const controller of ["memory", "pids"]) fs.mkdirSync(path.join(base, controller, "kubepods"));
  expect(cgroups.ensure("/kubepods/pod1", "a")).toEqual(["/kubepods/pod1"]);
  expect(exists("kubepods/pod1")).toBe(true);
  cgroups.removeEmpty(["/kubepods/pod1"]);
  expect([exists("kubepods/pod1"), exists("kubepods")]).toEqual([false, true]);
});

test("a parent that two pods share goes with the second, whoever has made it", () => {
  const first = cgroups.ensure("/berth", "a");
  const second = cgroups.ensure("/berth", "b");
  expect(second).toEqual(["/berth"]);
  // empty, for the second has no container yet
  expect(cgroups.release(first, "a")).toEqual([]);
  // one that somebody else made
  expect(cgroups.release(["/other"], "a")).toEqual(["/other"]);
  expect(cgroups.release(second, "b")).toEqual(["/berth"]);
  cgroups.removeEmpty(second);
  expect(exists("berth")).toBe(false);
  expect(cgroups.ensure("/berth", "c")).toEqual(["/berth"]);
});

test("removeEmpty() leaves what has something in it, which is still ours", () => {
  const made = cgroups.ensure("/berth", "a");
  fs.mkdirSync(path.join(base, "memory/berth/container"));
  cgroups.removeEmpty(cgroups.release(made, "a"));
  expect(exists("berth")).toBe(true);
  fs.rmdirSync(path.join(base, "memory/berth/container"));
  cgroups.removeEmpty(cgroups.release(cgroups.ensure("/berth", "b"), "b"));
  expect(exists("berth")).toBe(false);
});

test("adopt() takes over what an earlier run has made", () => {
  fs.mkdirSync(path.join(base, "memory/berth"));
  cgroups.adopt(["/berth"], "a");
  expect(cgroups.ensure("/berth", "b")).toEqual(["/berth"]);
  expect(cgroups.release(["/berth"], "b")).toEqual([]);
});

test("oomKills() reads version 1's counter, and never that of the root", () => {
  fs.mkdirSync(path.join(base, "memory/c"));
  fs.writeFileSync(path.join(base, "memory/c/memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  fs.writeFileSync(path.join(base, "memory/memory.oom_control"), "oom_kill 9\n");
  expect(cgroups.oomKills({ memory: "/c" })).toBe(2);
  expect(cgroups.oomKills({ memory: "/" })).toBeUndefined();
  expect(cgroups.oomKills({ memory: "/gone" })).toBeUndefined();
  expect(cgroups.oomKillsAround({ memory: "/c/d" })).toBeUndefined();
});

test("oomKillsAround() reads what the parent has counted on version 2, where the cgroup itself is gone", () => {
  fs.mkdirSync(path.join(base, "v2/pod.slice"), { recursive: true });
  fs.writeFileSync(path.join(base, "v2/pod.slice/memory.events"), "oom 4\noom_kill 3\noom_group_kill 0\n");
  const v2 = new Cgroups({ version: "v2", unified: path.join(base, "v2"), controllers: new Map() });
  expect(v2.oomKills({ "": "/pod.slice/gone.scope" })).toBeUndefined();
  expect(v2.oomKillsAround({ "": "/pod.slice/gone.scope" })).toBe(3);
  expect(v2.oomKillsAround({ "": "/gone.scope" })).toBeUndefined();
});

test("removeOwn() removes what is named by the container, and no parent", () => {
  fs.mkdirSync(path.join(base, "memory/pod/abc"), { recursive: true });
  cgroups.removeOwn({ memory: "/pod/abc", pids: "/pod" }, "abc");
  expect([exists("pod/abc"), exists("pod")]).toEqual([false, true]);
});

test("cutCgroups() ends a path after the container's part, whatever the runtime has made inside", () => {
  const paths = { "": "/a.slice/cri-berth-abc.scope/container", memory: "/pod/abc", pids: "/other" };
  expect(cutCgroups(paths, "abc")).toEqual({ "": "/a.slice/cri-berth-abc.scope", memory: "/pod/abc", pids: "/other" });
});

test("claim() says what is not there yet and so will be ours, without making it", () => {
  fs.mkdirSync(path.join(base, "memory/kubepods"));
  expect(cgroups.claim("/kubepods/pod1/inner", "a")).toEqual(["/kubepods/pod1", "/kubepods/pod1/inner"]);
  expect(exists("kubepods/pod1")).toBe(false);
  fs.mkdirSync(path.join(base, "memory/kubepods/pod1"));
  expect(cgroups.claim("/kubepods/pod1", "a")).toEqual(["/kubepods/pod1"]);
  fs.rmdirSync(path.join(base, "memory/kubepods/pod1"));
  cgroups.forgetGone("/kubepods/pod1");
  fs.mkdirSync(path.join(base, "memory/kubepods/pod1"));
  expect(cgroups.claim("/kubepods/pod1", "a")).toEqual([]);
});

test("isEmpty() is true of what is gone or has neither processes nor cgroups", () => {
  const directory = path.join(base, "memory/pod");
  fs.mkdirSync(path.join(directory, "inner"), { recursive: true });
  fs.writeFileSync(path.join(directory, "cgroup.procs"), "");
  expect(cgroups.isEmpty("/pod")).toBe(false);
  fs.rmdirSync(path.join(directory, "inner"));
  expect(cgroups.isEmpty("/pod")).toBe(true);
  fs.writeFileSync(path.join(directory, "cgroup.procs"), "12\n");
  expect(cgroups.isEmpty("/pod")).toBe(false);
  expect(cgroups.isEmpty("/gone")).toBe(true);
});
