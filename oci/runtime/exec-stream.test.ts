import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { startExec } from "./exec-stream";
import type { OciRuntime } from "./oci-runtime";

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-exec-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

/** Runs a command on a terminal by a runtime that is the shell script; LOG and PID are its files. */
async function exec(script: string) {
  const file = path.join(directory, "runtime");
  const options = "while [ $# -gt 0 ]; do case $1 in --log) LOG=$2 ;; --pid-file) PID=$2 ;; esac; shift; done";
  fs.writeFileSync(file, `#!/bin/sh\n${options}\necho 1 >$PID\n${script}\n`, { mode: 0o755 });
  const runtime = { options: { path: file, root: directory, systemdCgroup: false } } as unknown as OciRuntime;
  const streams = { stdin: false, stdout: true, stderr: false };
  const started = startExec(runtime, { id: "c", process: { terminal: true }, ...streams, scratchDirectory: directory });
  let text = "";
  started.stdout!.on("data", (chunk) => {
    text += chunk;
  });
  const closed = new Promise((resolve) => started.stdout!.on("error", () => {}).once("close", resolve));
  const { exitCode, late } = await started.exited;
  await closed;
  return { exitCode, text, late: late().toString() };
}

test("what crun left in its log of a command that ended at once is its output, whatever the length", async () => {
  const piece = "01234".repeat(51);
  const script = `printf '%s\\n' ${piece} ${piece} 'the end' >$LOG; exit 3`;
  expect(await exec(script)).toEqual({ exitCode: 3, text: "", late: `${piece}${piece}the end` });
  expect(await exec("printf 'one\\r\\ntwo\\r\\n\\n' >$LOG")).toMatchObject({ late: "one\r\ntwo\r\n" });
});

test("a log is no output where the terminal had some", async () => {
  expect(await exec("echo a warning >$LOG; echo out")).toEqual({ exitCode: 0, text: "out\n", late: "" });
});
