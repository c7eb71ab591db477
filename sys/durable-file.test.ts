import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { removeTemporaries, writeFileAtomically, writeFileDurably } from "./durable-file";

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-durable-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

test("both writers replace what was there and leave nothing beside it", async () => {
  const file = path.join(directory, "x");
  await writeFileDurably(file, "one");
  writeFileAtomically(file, "two", 0o640);
  expect(fs.readFileSync(file, "utf8")).toBe("two");
  expect(fs.statSync(file).mode & 0o777).toBe(0o640);
  expect(fs.readdirSync(directory)).toEqual(["x"]);
});

test("a write that fails leaves the old content and no temporary", async () => {
  fs.mkdirSync(path.join(directory, "x"));
  await expect(writeFileDurably(path.join(directory, "x"), "one")).rejects.toThrow();
  expect(fs.readdirSync(directory)).toEqual(["x"]);
});

test("removeTemporaries() removes what a crash has left, and only that", () => {
  for (const name of ["a", "a.tmp-0011"]) fs.writeFileSync(path.join(directory, name), "");
  expect(removeTemporaries(directory)).toEqual(["a.tmp-0011"]);
  expect(fs.readdirSync(directory)).toEqual(["a"]);
});
