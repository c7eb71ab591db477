import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { directoryInRoot, readFileInRoot, resolveTextInRoot } from "./rooted-path";

let root = "";
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "berth-rooted-"));
  fs.mkdirSync(path.join(root, "etc"));
});
afterEach(() => fs.rmSync(root, { recursive: true }));

const read = (inside: string, limitBytes = 1000) => readFileInRoot({ root, path: inside, limitBytes })?.toString();
const openFds = () => fs.readdirSync("/proc/self/fd").length;

describe("readFileInRoot()", () => {
  test("reads a file through links that stay inside", () => {
    fs.writeFileSync(path.join(root, "etc/real"), "text");
    fs.symlinkSync("/etc/real", path.join(root, "etc/link"));
    fs.symlinkSync("../../../../etc/real", path.join(root, "etc/up"));
    expect(read("/etc/link")).toBe("text");
    expect(read("/etc/up")).toBe("text");
  });

  test("has nothing where there is nothing", () => {
    expect(read("/etc/none")).toBeUndefined();
    fs.writeFileSync(path.join(root, "etc/file"), "");
    expect(read("/etc/file/below")).toBeUndefined();
  });

  test("never leaves the root when a link points to the host", () => {
    fs.symlinkSync("/etc/hostname", path.join(root, "etc/link"));
    fs.symlinkSync("../../../../../../etc/hostname", path.join(root, "etc/up"));
    expect(read("/etc/link")).toBeUndefined();
    expect(read("/etc/up")).toBeUndefined();
    expect(read("/../../../../etc/hostname")).toBeUndefined();
  });

  test("refuses a FIFO, a directory and a loop without blocking, and closes what it opened", () => {
    execFileSync("mkfifo", [path.join(root, "etc/fifo")]);
    fs.symlinkSync("loop", path.join(root, "etc/loop"));
    const before = openFds();
    expect(() => read("/etc/fifo")).toThrow(/not a regular file/);
    expect(() => read("/etc")).toThrow(/not a regular file/);
    expect(() => read("/etc/loop")).toThrow(/ELOOP/);
    expect(() => read("/etc/a\0b")).toThrow(/EINVAL/);
    expect(openFds()).toBe(before);
  });

  test("refuses a file over the limit without reading it", () => {
    fs.writeFileSync(path.join(root, "etc/big"), "");
    fs.truncateSync(path.join(root, "etc/big"), 2 ** 31);
    expect(() => read("/etc/big")).toThrow(/more than 1000 bytes/);
  });
});

describe("directoryInRoot()", () => {
  test("gives the host's path of a directory, resolved inside", () => {
    fs.mkdirSync(path.join(root, "var/data"), { recursive: true });
    fs.symlinkSync("/var", path.join(root, "link"));
    fs.symlinkSync("/../../../..", path.join(root, "up"));
    expect(directoryInRoot(root, "/link/data")).toBe(path.join(root, "var/data"));
    expect(directoryInRoot(root, "/up")).toBe(root);
    expect(directoryInRoot(root, "/none")).toBeUndefined();
    fs.writeFileSync(path.join(root, "file"), "");
    expect(directoryInRoot(root, "/file")).toBeUndefined();
  });
});

describe("resolveTextInRoot()", () => {
  test("follows links though their ends do not exist", () => {
    fs.symlinkSync("/proc/self", path.join(root, "a"));
    fs.symlinkSync("a/fd", path.join(root, "b"));
    expect(resolveTextInRoot(root, "/b/7")).toBe("/proc/self/fd/7");
    expect(resolveTextInRoot(root, "/x/../../etc/./y")).toBe("/etc/y");
  });

  test("throws for a loop", () => {
    fs.symlinkSync("/l", path.join(root, "l"));
    expect(() => resolveTextInRoot(root, "/l")).toThrow(/too many levels/);
  });
});
