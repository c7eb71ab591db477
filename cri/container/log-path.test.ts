import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { checkLogFile, prepareLogPath } from "./log-path";

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-log-path-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

test("prepareLogPath() joins the two and makes the directory between", async () => {
  const logs = path.join(directory, "logs");
  await expect(prepareLogPath(logs, "web/0.log")).resolves.toBe(path.join(logs, "web/0.log"));
  expect(fs.statSync(path.join(logs, "web")).isDirectory()).toBe(true);
});

test("prepareLogPath() gives no log where either is empty", async () => {
  await expect(prepareLogPath("", "a.log")).resolves.toBe("");
  await expect(prepareLogPath(directory, "")).resolves.toBe("");
});

test.each(["../x.log", "/etc/x.log", "a/../../x.log"])("prepareLogPath() refuses %s", async (logPath) => {
  await expect(prepareLogPath(directory, logPath)).rejects.toThrow("leads out");
});

test("prepareLogPath() refuses a link at the file or on the way out", async () => {
  fs.symlinkSync("/etc", path.join(directory, "out"));
  fs.symlinkSync("/etc/shadow", path.join(directory, "a.log"));
  await expect(prepareLogPath(directory, "out/x.log")).rejects.toThrow("by a link");
  await expect(prepareLogPath(directory, "a.log")).rejects.toThrow("no regular file");
  // where the monitor makes a new one
  fs.symlinkSync("/etc/shadow", path.join(directory, "b.log.tmp"));
  await expect(prepareLogPath(directory, "b.log")).rejects.toThrow("b.log.tmp is there already");
  fs.rmSync(path.join(directory, "b.log.tmp"));
  await expect(checkLogFile(directory, path.join(directory, "b.log"))).resolves.toBeUndefined();
});
