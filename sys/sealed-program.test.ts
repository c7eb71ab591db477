import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { SealedProgram } from "./sealed-program";
import { runProcess } from "./spawn";

let directory = "";
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-sealed-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const run = (file: string, args: string[] = []) => runProcess({ file, args, env: {}, timeoutMs: 5000 });

test("path() is a copy that runs and that nobody can write", async () => {
  const program = new SealedProgram("/bin/echo");
  const copy = program.path();
  expect(copy).not.toBe("/bin/echo");
  expect(program.path()).toBe(copy);
  expect(await run(copy, ["there"])).toMatchObject({ code: 0, stdout: "there\n" });
  expect(() => fs.writeFileSync(copy, "x")).toThrow(/EPERM|ETXTBSY/);
});

test("path() follows a file that is replaced, and what was given before still runs", async () => {
  const file = path.join(directory, "program");
  fs.copyFileSync("/bin/true", file);
  const program = new SealedProgram(file);
  const before = program.path();
  fs.copyFileSync("/bin/false", `${file}.new`);
  fs.renameSync(`${file}.new`, file);
  const after = program.path();
  expect([(await run(before)).code, (await run(after)).code]).toEqual([0, 1]);
});

test("path() is the file itself for a script, and where there is none", () => {
  const file = path.join(directory, "script");
  fs.writeFileSync(file, "#!/bin/sh\n", { mode: 0o755 });
  expect(new SealedProgram(file).path()).toBe(file);
  expect(new SealedProgram(path.join(directory, "none")).path()).toBe(path.join(directory, "none"));
});
