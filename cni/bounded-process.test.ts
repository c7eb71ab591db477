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
