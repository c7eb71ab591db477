import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { encodeSpec } from "../runtime-spec";
import { parseProfile } from "./parse-profile";
import { readProfile } from "./profile-file";

let directory = "";
beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-seccomp-"));
});
afterAll(() => fs.rmSync(directory, { recursive: true }));

const write = (name: string, text: string) => {
  const file = path.join(directory, name);
  fs.writeFileSync(file, text);
  return file;
};

describe("readProfile()", () => {
  test("reads a profile, and reads it again when it changed", async () => {
    const file = write("a.json", '{"defaultAction":"SCMP_ACT_LOG"}');
    const first = await readProfile(file);
    expect(first.defaultAction).toBe("SCMP_ACT_LOG");
    expect(await readProfile(file)).toBe(first);
    write("a.json", '{"defaultAction":"SCMP_ACT_ALLOW" }');
    expect((await readProfile(file)).defaultAction).toBe("SCMP_ACT_ALLOW");
  });

  test("refuses what is not an absolute path of a plain, small file", async () => {
    await expect(readProfile("a.json")).rejects.toThrow(/not absolute/);
    await expect(readProfile(path.join(directory, "none"))).rejects.toMatchObject({
      code: "InvalidArgument",
      message: expect.stringContaining("there is no such file"),
    });
    await expect(readProfile(directory)).rejects.toThrow(/not a regular file/);
    execFileSync("mkfifo", [path.join(directory, "fifo")]);
    await expect(readProfile(path.join(directory, "fifo"))).rejects.toThrow(/not a regular file/);
    fs.truncateSync(write("big", ""), 5 * 1024 * 1024);
    await expect(readProfile(path.join(directory, "big"))).rejects.toThrow(/more than/);
  });
});

describe("parseProfile()", () => {
  test("keeps 64-bit arguments exact", () => {
    const arg = '{"index":0,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}';
    const text = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"],"action":"SCMP_ACT_ERRNO","args":[${arg}]}]}`;
    expect(encodeSpec(parseProfile(text))).toContain('"value":18446744073709551615');
  });

  test.each([
    ["{", /not JSON/],
    ["[]", /not an object/],
    ["{}", /defaultAction/],
    ['{"defaultAction":"ALLOW"}', /defaultAction/],
    ['{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/x"}', /listenerPath/],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}', /syscalls is not a list/],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[],"action":"SCMP_ACT_LOG"}]}', /names is empty/],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"x"}]}', /syscalls\[0\]\.action/],
    ['{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":-1}', /defaultErrnoRet/],
    [
      '{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG","args":[{"index":6}]}]}',
      /args\[0\]\.index/,
    ],
  ])("refuses %s", (text, reason) => {
    expect(() => parseProfile(text)).toThrow(reason);
  });
});
