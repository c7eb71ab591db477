import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { loadDefaultProfile } from "./load-default";

let directory = "";
let profilesFile = "";
let warnings: string[] = [];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-apparmor-"));
  profilesFile = path.join(directory, "profiles");
  fs.writeFileSync(profilesFile, "other (enforce)\n");
  warnings = [];
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

/** A parser of the test's own, a shell script that gets what apparmor_parser would. */
function parserThat(script: string): string {
  const file = path.join(directory, "parser");
  fs.writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}

const load = (over: object = {}) =>
  loadDefaultProfile(
    { configured: "", scratchDirectory: directory, profilesFile, parser: "/none/apparmor_parser", ...over },
    (message) => warnings.push(message),
  );

test("loads our own profile from a file that is gone after", async () => {
  const parser = parserThat(`while [ $# -gt 1 ]; do shift; done; cp "$1" "${directory}/seen"`);
  expect(await load({ parser })).toBe("berth-default");
  expect(fs.readFileSync(path.join(directory, "seen"), "utf8")).toContain("profile berth-default ");
  expect(fs.readdirSync(directory).sort()).toEqual(["parser", "profiles", "seen"]);
  expect(warnings).toEqual([]);
});

test("leaves alone what is loaded", async () => {
  fs.writeFileSync(profilesFile, "other (enforce)\nberth-default (enforce)\n");
  expect(await load()).toBe("berth-default");
  expect(await load({ configured: "other" })).toBe("other");
  expect(warnings).toEqual([]);
});

test("refuses an administrator's profile that is not loaded", async () => {
  await expect(load({ configured: "absent" })).rejects.toMatchObject({ code: "FailedPrecondition" });
});

test("warns where there is no parser, where it refuses, and where profiles can't be listed", async () => {
  expect(await load()).toBeUndefined();
  expect(await load({ parser: parserThat("echo 'syntax error' >&2; exit 1") })).toBeUndefined();
  expect(await load({ profilesFile: "/none/profiles" })).toBeUndefined();
  const why = [/apparmor_parser is missing/, /refuses our profile: syntax error/, /can't be listed/];
  expect(warnings).toHaveLength(why.length);
  for (const [index, pattern] of why.entries()) expect(warnings[index]).toMatch(pattern);
});
