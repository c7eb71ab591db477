import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { runBounded } from "./bounded-process";

const request = { file: "/bin/cat", env: {}, input: "", timeoutMs: 5000, limitBytes: 1000 };

test("runBounded() hands over its input and brings back the output", async () => {
  expect(await runBounded({ ...request, input: "hello" })).toEqual({
    exitCode: 0,
    signal: null,
    stdout: "hello",
    stderr: "",
    timedOut: false,
    flooded: false,
  });
});

test("runBounded() ends a program at its time limit", async () => {
  const outcome = await runBounded({ ...request, file: "/usr/bin/yes", timeoutMs: 50, limitBytes: 1e12 });
  expect(outcome).toMatchObject({ exitCode: null, signal: "SIGKILL", timedOut: true });
});

test("runBounded() ends a program that prints without end, and keeps no more than the limit", async () => {
  const outcome = await runBounded({ ...request, file: "/usr/bin/yes" });
  expect(outcome).toMatchObject({ signal: "SIGKILL", flooded: true, timedOut: false });
  expect(outcome.stdout).toHaveLength(1000);
});

test("runBounded() does not mind a program that ignores its input", async () => {
  expect(await runBounded({ ...request, file: "/bin/true", input: "x".repeat(1e6) })).toMatchObject({ exitCode: 0 });
});

test("runBounded() rejects where there is nothing to run", async () => {
  await expect(runBounded({ ...request, file: "/nowhere" })).rejects.toMatchObject({ code: "ENOENT" });
});

test("runBounded() brings back what was printed, however late this process comes to read it", async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-bounded-"));
  const block = (ms: number) => {
    for (const until = performance.now() + ms; performance.now() < until; );
  };
  try {
    const file = path.join(directory, "late");
    fs.writeFileSync(file, "#!/bin/sh\nsleep 0.4\necho late\n", { mode: 0o755 });
    const other = spawn("/bin/cat", { stdio: ["pipe", "pipe", "ignore"] });
    // the end of the first is heard while the second ends too: both are reaped before the second's pipe is read
    other.stdout.once("data", () => {
      block(600);
      setImmediate(() => block(800));
    });
    other.stdin.end("x");
    const first = runBounded(request);
    const second = runBounded({ ...request, file, env: { PATH: "/usr/bin:/bin" } });
    block(300);
    expect(await second).toMatchObject({ exitCode: 0, stdout: "late\n" });
    await first;
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});
