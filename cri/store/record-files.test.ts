import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { checkContainerRecord, Container } from "./container";
import { RecordFiles } from "./record-files";
import { checkSandboxRecord, Sandbox } from "./sandbox";

const id = (digit: string) => digit.repeat(64);
let directory: string;
let damaged: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-records-"));
  damaged = path.join(directory, "damaged");
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const asIs = (value: Record<string, unknown>) => value as { version: number; id: string };
const place = (digit: string) => {
  fs.mkdirSync(path.join(directory, id(digit)));
  return path.join(directory, id(digit), "x.json");
};

test("load() gives whole records, names what is damaged, newer or missing, and sets aside what there is of it", () => {
  const files = new RecordFiles({ directory, name: "x.json", damaged }, asIs);
  for (const digit of ["a", "c", "d"]) place(digit);
  files.write({ version: 1, id: id("a") });
  files.write({ version: 99, id: id("c") });
  fs.writeFileSync(place("b"), '{"version":1,');
  fs.mkdirSync(place("e"));
  fs.mkdirSync(path.join(directory, "not-an-id"));
  const loaded = files.load();
  expect(loaded.records).toEqual([{ version: 1, id: id("a") }]);
  const orphans = new Map(loaded.orphans.map((orphan) => [orphan.id, orphan]));
  expect([...orphans.keys()].sort()).toEqual([id("b"), id("c"), id("d"), id("e")]);
  expect(orphans.get(id("c"))).toMatchObject({ reason: expect.stringContaining("newer Berth") });
  expect(orphans.get(id("d"))).toEqual({ id: id("d"), reason: expect.stringContaining("ENOENT") });
  expect(fs.readFileSync(orphans.get(id("b"))!.setAside!, "utf8")).toBe('{"version":1,');
  expect(fs.readdirSync(damaged).sort()).toEqual(["b", "c", "e"].map((digit) => `${id(digit)}.x.json`));
  expect(fs.readdirSync(path.join(directory, id("b")))).toEqual([]);
});

/** As the first release wrote them. */
const fixture = (name: string) => {
  const text = fs.readFileSync(path.join(__dirname, "version-1.fixture", name), "utf8");
  return JSON.parse(text) as Record<string, unknown>;
};

test("records of version 1 are read, whatever may be absent in them", () => {
  const sandbox = new Sandbox(checkSandboxRecord(fixture("sandbox.json")));
  expect(sandbox).toMatchObject({ isReady: true, name: "web-0_shop_6f1c_2", config: { hostname: "web-0" } });
  expect(sandbox.record.ips).toEqual(["10.88.0.7", "fd00::7"]);
  const container = new Container(checkContainerRecord(fixture("container.json")));
  expect(container).toMatchObject({ isRunning: true, config: { metadata: { name: "main", attempt: 1 } } });
  expect(container.resources.memoryLimitInBytes).toBe(67_108_864n);
  const least = fixture("sandbox.json");
  for (const field of ["holder", "overhead", "resources"]) delete least[field];
  expect(checkSandboxRecord(least)).toBe(least);
  const ended = { ...fixture("container.json"), process: undefined, monitor: undefined, imageVolumes: undefined };
  const exit = { finishedAtNs: "1790000000000000001", code: 137, reason: "OOMKilled", message: "" };
  expect(checkContainerRecord({ ...ended, exit })).toMatchObject({ exit });
});

test.each<[string, unknown]>([
  ["config", 7],
  ["config", "////"],
  ["createdAtNs", "yesterday"],
  ["createdAtNs", 5],
  ["phase", "dreaming"],
  ["namespaces", { net: 1 }],
  ["namespaces", null],
  ["holder", { pid: 1, startTime: "5" }],
  ["holder", { pid: 100, startTime: "soon" }],
  ["ips", "10.0.0.1"],
  ["madeCgroups", [1]],
  ["overhead", {}],
  ["overhead", "////"],
  ["resources", "////"],
])("a sandbox's record whose %s is %j is refused", (field, value) => {
  expect(() => checkSandboxRecord({ ...fixture("sandbox.json"), [field]: value })).toThrow();
});

test.each<[string, unknown]>([
  ["sandboxId", undefined],
  ["sandboxId", ""],
  ["sandboxId", "ab"],
  ["config", "////"],
  ["resources", "////"],
  ["image", { id: "x" }],
  ["imageVolumes", [1]],
  ["user", { uid: 1.5, gid: 0, additionalGids: [] }],
  ["user", { uid: 1, gid: 0, additionalGids: "0" }],
  ["stopSignal", "TERM"],
  ["process", { pid: -1, startTime: "5" }],
  ["monitor", 5],
  ["cgroups", { memory: 5 }],
  ["createdAtNs", undefined],
  ["startingAtNs", "x"],
  ["startedAtNs", "x"],
  ["exit", { finishedAtNs: "1", code: "0", reason: "", message: "" }],
])("a container's record whose %s is %j is refused", (field, value) => {
  expect(() => checkContainerRecord({ ...fixture("container.json"), [field]: value })).toThrow();
});
