import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { prepareLogPath } from "./log-path";

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-log-path-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

test("prepareLogPath() joins the two and makes the directory between", () => {
  const logs = path.join(directory, "logs");
  expect(prepareLogPath(logs, "web/0.log")).toBe(path.join(logs, "web/0.log"));
  expect(fs.statSync(path.join(logs, "web")).isDirectory()).toBe(true);
});

test("prepareLogPath() gives no log where either is empty", () => {
  expect(prepareLogPath("", "a.log")).toBe("");
  expect(prepareLogPath(directory, "")).toBe("");
});

test.each(["../x.log", "/etc/x.log", "a/../../x.log"])("prepareLogPath() refuses %s", (logPath) => {
  expect(() => prepareLogPath(directory, logPath)).toThrow("leads out");
});

test("prepareLogPath() refuses a link at the file or on the way out", () => {
  fs.symlinkSync("/etc", path.join(directory, "out"));
  fs.symlinkSync("/etc/shadow", path.join(directory, "a.log"));
  expect(() => prepareLogPath(directory, "out/x.log")).toThrow("by a link");
  expect(() => prepareLogPath(directory, "a.log")).toThrow("no regular file");
});
