import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { exists, lookUp } from "./merged-lookup";

let root = "";
const layer = (name: string) => path.join(root, name);

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "berth-lookup-"));
  fs.mkdirSync(layer("low/a/b"), { recursive: true });
  fs.writeFileSync(layer("low/a/file"), "");
  fs.symlinkSync("a", layer("low/link"));
  fs.mkdirSync(layer("top/a"), { recursive: true });
  fs.mkdirSync(layer("top/link"));
  fs.writeFileSync(layer("top/plain"), "");
  fs.mkdirSync(layer("low/plain/x"), { recursive: true });
});
afterEach(() => fs.rmSync(root, { recursive: true }));

test.each([
  ["", { kind: "directory", at: "top" }],
  ["a", { kind: "directory", at: "top/a" }],
  ["a/b", { kind: "directory", at: "low/a/b" }],
  ["a/file", { kind: "other" }],
  ["a/file/x", { kind: "other" }],
  ["nothing/x", { kind: "missing" }],
  ["link", { kind: "directory", at: "top/link" }],
  // the directory on top hides the link below, and what it leads to
  ["link/b", { kind: "missing" }],
  // the file on top hides the directory below
  ["plain/x", { kind: "other" }],
])("lookUp() of %j follows overlayfs's rules", async (name, expected) => {
  const found = await lookUp([layer("top"), layer("low")], name);
  expect(found.kind === "directory" ? { ...found, at: path.relative(root, found.at) } : found).toEqual(expected);
});

test("exists() tells a file that is there from one whose parent is a file", async () => {
  const layers = [layer("top"), layer("low")];
  expect(await exists(layers, "a/file")).toBe(true);
  expect(await exists(layers, "a/b")).toBe(true);
  expect(await exists(layers, "a/file/x")).toBe(false);
  expect(await exists(layers, "a/none")).toBe(false);
});
