import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { thisHost } from "./host";

describe("thisHost", () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-host-"));
  const at = (name: string) => path.join(directory, name);
  afterAll(() => fs.rmSync(directory, { recursive: true }));

  test("write() makes directories, keeps a file's mode, and read() tells of one that is not there", async () => {
    expect(thisHost.read(at("a/b/file"))).toBeUndefined();
    await thisHost.write(at("a/b/file"), "one");
    expect(fs.statSync(at("a/b/file")).mode & 0o777).toBe(0o644);
    fs.chmodSync(at("a/b/file"), 0o600);
    await thisHost.write(at("a/b/file"), "two");
    expect(thisHost.read(at("a/b/file"))).toBe("two");
    expect(fs.statSync(at("a/b/file")).mode & 0o777).toBe(0o600);
  });

  test("missingAbove() tells what write() makes, and removeDirectory() takes away what is empty alone", async () => {
    await thisHost.write(at("c/keep"), "");
    const made = thisHost.missingAbove(at("c/d/e/file"));
    expect(made).toEqual([at("c/d/e"), at("c/d")]);
    await thisHost.write(at("c/d/e/file"), "");
    expect(thisHost.missingAbove(at("c/d/e/file"))).toEqual([]);
    thisHost.removeDirectory(at("c/d/e"));
    expect(thisHost.read(at("c/d/e/file"))).toBe("");
    thisHost.remove(at("c/d/e/file"));
    for (const each of [...made, at("c"), at("never-there")]) thisHost.removeDirectory(each);
    expect(fs.readdirSync(at("c"))).toEqual(["keep"]);
  });

  test("run() takes exit codes that are none of failure, and tells a failure's own words", async () => {
    expect(await thisHost.run("sh", ["-c", "cat; exit 3"], { input: "in", accept: [3] })).toBe("in");
    await expect(thisHost.run("sh", ["-c", "echo why >&2; exit 4"])).rejects.toThrow(/^sh -c .*: why$/);
    await expect(thisHost.run("berth-never-there", [])).rejects.toThrow("there is no program berth-never-there");
  });
});
