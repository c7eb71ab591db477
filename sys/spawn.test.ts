import fs from "node:fs";
import { identify, isAlive, signalProcess } from "./process-identity";
import { findProgram, runProcess, spawnProcess } from "./spawn";

const env = { PATH: "/usr/bin:/bin" };
const sh = (script: string, timeoutMs = 10_000) =>
  runProcess({ file: "/bin/sh", args: ["-c", script], env, timeoutMs });

test("runProcess() gives exit code and both outputs, and only the given environment", async () => {
  expect(await sh('echo out; echo err >&2; test "$(env | grep -c ^HOME)" = 0; exit 7')).toEqual({
    code: 7,
    stdout: "out\n",
    stderr: "err\n",
  });
  expect((await sh("kill -9 $$")).code).toBe(137);
});

test("runProcess() passes no descriptor on", async () => {
  const open = fs.openSync("/dev/null", "r");
  try {
    const { stdout } = await sh("ls /proc/self/fd");
    // 0 to 2, and the one that ls reads the directory by
    expect(stdout.trim().split("\n")).toEqual(["0", "1", "2", "3"]);
  } finally {
    fs.closeSync(open);
  }
});

test("runProcess() kills the group of a command that is called off, and throws why", async () => {
  const reason = new Error("nobody wants it");
  const off = new AbortController();
  setTimeout(() => off.abort(reason), 100);
  const request = { file: "/bin/sh", args: ["-c", "sleep 20 & sleep 20"], env: { PATH: "/usr/bin:/bin" } };
  const began = performance.now();
  const run = () => runProcess({ ...request, timeoutMs: 30_000, signal: off.signal });
  await expect(run()).rejects.toBe(reason);
  // and one that is called off before it begins
  await expect(run()).rejects.toBe(reason);
  expect(performance.now() - began).toBeLessThan(10_000);
});

test("runProcess() kills the group of a command that takes too long", async () => {
  await expect(sh("sleep 60 & sleep 60", 100)).rejects.toMatchObject({ code: "DeadlineExceeded" });
});

test("runProcess() keeps no more output than asked for", async () => {
  const result = await runProcess({
    file: "/bin/sh",
    args: ["-c", "head -c 100000 /dev/zero"],
    env,
    timeoutMs: 10_000,
    limitBytes: 10,
  });
  expect(result.stdout).toHaveLength(10);
});

test("spawnProcess() throws the kernel's reason", () => {
  expect(() => spawnProcess({ file: "/nonexistent", args: [], env })).toThrow("ENOENT");
});

test("many children at once are all reaped", async () => {
  const codes = await Promise.all(Array.from({ length: 40 }, (_, i) => sh(`exit ${i}`).then((r) => r.code)));
  expect(codes).toEqual(Array.from({ length: 40 }, (_, i) => i));
});

test("a process identity is not taken for another process", async () => {
  const child = spawnProcess({ file: "/bin/sleep", args: ["60"], env });
  const identity = identify(child.pid)!;
  expect(isAlive(identity)).toBe(true);
  expect(isAlive({ ...identity, startTime: "1" })).toBe(false);
  expect(signalProcess({ ...identity, startTime: "1" }, 9)).toBe(false);
  expect(signalProcess(identity, 9)).toBe(true);
  expect((await child.exited).code).toBe(137);
  expect(signalProcess(identity, 9)).toBe(false);
});

test("findProgram() takes paths and names", () => {
  expect(findProgram("sh")).toMatch(/\/sh$/);
  expect(findProgram("/bin/sh")).toBe("/bin/sh");
  expect(findProgram("no-such-program")).toBeUndefined();
  expect(findProgram("/etc/passwd")).toBeUndefined();
});
