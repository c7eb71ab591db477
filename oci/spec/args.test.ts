import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { processArgs, workingDirectory } from "./args";

describe("processArgs()", () => {
  const image = { Entrypoint: ["/entry", "-e"], Cmd: ["cmd"] };

  test("takes entrypoint and Cmd of the image when nothing is asked", () => {
    expect(processArgs({ command: [], args: [], image })).toEqual(["/entry", "-e", "cmd"]);
  });

  test("drops the image's Cmd when there is a command", () => {
    expect(processArgs({ command: ["a"], args: [], image })).toEqual(["a"]);
    expect(processArgs({ command: ["a"], args: ["b"], image })).toEqual(["a", "b"]);
  });

  test("keeps the entrypoint when there are only args", () => {
    expect(processArgs({ command: [], args: ["b"], image })).toEqual(["/entry", "-e", "b"]);
  });

  test("takes an entrypoint of one empty text for none", () => {
    expect(processArgs({ command: [], args: [], image: { Entrypoint: [""], Cmd: ["cmd"] } })).toEqual(["cmd"]);
  });

  test("throws when nothing is left to run, or a NUL is in it", () => {
    expect(() => processArgs({ command: [], args: [], image: { Entrypoint: null, Cmd: null } })).toThrow(
      "no command specified",
    );
    expect(() => processArgs({ command: [""], args: [], image })).toThrow(/empty/);
    expect(() => processArgs({ command: ["a\0b"], args: [], image })).toThrow(/NUL/);
  });
});

describe("workingDirectory()", () => {
  let root = "";
  beforeAll(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), "berth-cwd-"));
    fs.symlinkSync("/proc/self/fd/7", path.join(root, "trap"));
  });
  afterAll(() => fs.rmSync(root, { recursive: true }));

  test("is the request's, else the image's, else the root", () => {
    expect(workingDirectory("/a", { WorkingDir: "/b" }, root)).toBe("/a");
    expect(workingDirectory("", { WorkingDir: "/b" }, root)).toBe("/b");
    expect(workingDirectory("", {}, root)).toBe("/");
  });

  test.each([
    ...["a", "/a\nb", "/proc/self/fd/7", "/proc/1/task/1/fd", "/x/../dev/fd/3", "/trap"],
    // out again is not back: what the descriptor stands for has a parent of its own
    ...["/proc/self/fd/7/../../..", "/trap/../..", "/trap/x"],
  ])("refuses %j", (cwd) => {
    expect(() => workingDirectory(cwd, {}, root)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });
});
