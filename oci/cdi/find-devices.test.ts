import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { findDevices } from "./find-devices";

let base = "";
let directories: string[] = [];
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), "berth-cdi-"));
  directories = ["etc", "run"].map((name) => path.join(base, name));
  for (const directory of directories) fs.mkdirSync(directory);
});
afterEach(() => fs.rmSync(base, { recursive: true }));

function write(name: string, devices: Record<string, string>, common = ""): string {
  const file = path.join(base, name);
  const edits = (env: string) => (env ? { env: [`V=${env}`] } : {});
  const list = Object.entries(devices).map(([device, env]) => ({ name: device, containerEdits: edits(env) }));
  const spec = { cdiVersion: "0.6.0", kind: "v.com/c", devices: list, containerEdits: edits(common) };
  fs.writeFileSync(file, JSON.stringify(spec));
  return file;
}
const found = async (...names: string[]) => {
  const { edits } = await findDevices(names, directories);
  return edits.flatMap((each) => each.edits.env);
};

describe("findDevices()", () => {
  test("has the common edits of a file once, before those of its devices, in the order asked", async () => {
    write("etc/a.json", { one: "one", two: "two" }, "common");
    expect(await found("v.com/c=two", "v.com/c=one")).toEqual(["V=common", "V=two", "V=one"]);
  });

  test("the later directory goes before the earlier", async () => {
    write("etc/z.json", { one: "static", two: "two" });
    write("run/a.json", { one: "dynamic" });
    expect(await found("v.com/c=one")).toEqual(["V=dynamic"]);
    expect(await found("v.com/c=two")).toEqual(["V=two"]);
  });

  test("a device that two files of one directory have is refused with both", async () => {
    const files = [write("etc/a.json", { one: "a" }), write("etc/b.json", { one: "b" })];
    await expect(found("v.com/c=one")).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringContaining(files.join(" and ")),
    });
  });

  test("a file that changes is read again, one that goes is gone", async () => {
    const file = write("etc/a.json", { one: "old" });
    expect(await found("v.com/c=one")).toEqual(["V=old"]);
    write("etc/a.json", { one: "newer" });
    expect(await found("v.com/c=one")).toEqual(["V=newer"]);
    fs.rmSync(file);
    await expect(found("v.com/c=one")).rejects.toThrow("unresolvable CDI devices v.com/c=one");
  });

  test("bad files are told where a device is missing, and do no harm to others", async () => {
    write("etc/good.json", { one: "good" });
    fs.writeFileSync(path.join(base, "run/bad.yaml"), "kind: [");
    fs.mkdirSync(path.join(base, "run/directory.json"));
    execFileSync("mkfifo", [path.join(base, "run/fifo.json")]);
    fs.writeFileSync(path.join(base, "run/large.json"), "x".repeat((1 << 20) + 1));
    fs.writeFileSync(path.join(base, "run/notes.txt"), "nothing");
    const { edits, warnings } = await findDevices(["v.com/c=one"], directories);
    expect(edits.flatMap((each) => each.edits.env)).toEqual(["V=good"]);
    const names = ["bad.yaml", "directory.json", "fifo.json", "large.json"];
    expect(warnings.map((text) => path.basename(/CDI file ([^:]+)/.exec(text)![1]!))).toEqual(names);
    await expect(found("v.com/c=two")).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringMatching(/unresolvable CDI devices v\.com\/c=two.*bad\.yaml: it is neither.*fifo\.json/),
    });
  });

  test("directories that are not there have nothing, and without a name none is looked at", async () => {
    directories.push(path.join(base, "none"));
    await expect(found("v.com/c=one")).rejects.toThrow(/unresolvable/);
    expect(await findDevices([], ["/\0"])).toEqual({ edits: [], warnings: [] });
  });
});
