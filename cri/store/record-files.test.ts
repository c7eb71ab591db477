import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { RecordFiles } from "./record-files";

const id = (digit: string) => digit.repeat(64);
let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-records-"));
  for (const each of ["a", "b", "c", "d"]) fs.mkdirSync(path.join(directory, id(each)));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

test("load() gives whole records, and names what is damaged, newer or missing", () => {
  const files = new RecordFiles<{ version: number; id: string }>(directory, "x.json");
  files.write({ version: 1, id: id("a") });
  fs.writeFileSync(path.join(directory, id("b"), "x.json"), '{"version":1,');
  files.write({ version: 99, id: id("c") });
  fs.mkdirSync(path.join(directory, "not-an-id"));
  const loaded = files.load();
  expect(loaded.records).toEqual([{ version: 1, id: id("a") }]);
  const reasons = new Map(loaded.orphans.map((orphan) => [orphan.id, orphan.reason]));
  expect([...reasons.keys()].sort()).toEqual([id("b"), id("c"), id("d")]);
  expect(reasons.get(id("c"))).toContain("newer Berth");
  expect(reasons.get(id("d"))).toContain("ENOENT");
});
