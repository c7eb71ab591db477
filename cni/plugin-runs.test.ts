import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { runBounded } from "./bounded-process";
import { PluginRuns, runVariable } from "./plugin-runs";

let directory: string;
beforeEach(() => {
  directory = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "berth-runs-")), "runs");
});
afterEach(() => fs.rmSync(path.dirname(directory), { recursive: true }));

const request = { file: "/usr/bin/env", env: { A: "1" }, input: "", timeoutMs: 5000, limitBytes: 1000 };

test("run() is known on disk while the program runs, by what its environment says", async () => {
  let during: string[] = [];
  const runs = new PluginRuns(directory, (each) => {
    during = fs.readdirSync(directory);
    return runBounded(each);
  });
  const { stdout } = await runs.run(request);
  expect(during).toHaveLength(1);
  expect(stdout.trim().split("\n").sort()).toEqual(["A=1", `${runVariable}=${during[0]}`]);
  expect(fs.readdirSync(directory)).toEqual([]);
});

test("run() forgets what could not be started, and not what outlives its end", async () => {
  const failing = new PluginRuns(directory, () => Promise.reject(new Error("no")));
  await expect(failing.run(request)).rejects.toThrow("no");
  expect(fs.readdirSync(directory)).toEqual([]);
  const alive = { exitCode: null, signal: null, stdout: "", stderr: "", timedOut: true, flooded: false };
  await new PluginRuns(directory, async () => alive).run(request);
  expect(fs.readdirSync(directory)).toHaveLength(1);
});

test("run() goes on where it can't be written down", async () => {
  const runs = new PluginRuns(directory, runBounded);
  fs.rmdirSync(directory);
  expect(await runs.run(request)).toMatchObject({ exitCode: 0 });
  fs.mkdirSync(directory);
});

test("endLeftOver() ends what an earlier one has left, in whatever session it is by now, and nothing else", async () => {
  const runs = new PluginRuns(directory, runBounded);
  const begin = (mark: string) => {
    const script = "setsid sleep 4321 & echo $!; exec sleep 4321";
    return spawn("sh", ["-c", script], { env: { PATH: process.env["PATH"], [runVariable]: mark } });
  };
  const [ours, others] = [begin("a".repeat(32)), begin("b".repeat(32))];
  try {
    const [child] = await Promise.all([once(ours.stdout, "data"), once(others.stdout, "data")]);
    fs.writeFileSync(path.join(directory, "a".repeat(32)), "");
    const gone = once(ours, "exit");
    const { told, left } = await runs.endLeftOver();
    expect(told.sort()).toEqual([ours.pid, Number(child)].sort());
    expect(left).toEqual([]);
    expect(await gone).toEqual([null, "SIGKILL"]);
    expect(fs.readdirSync(directory)).toEqual([]);
    expect(others.exitCode ?? others.signalCode).toBeNull();
    expect(await runs.endLeftOver()).toEqual({ told: [], left: [] });
  } finally {
    const pids = execFileSync("pgrep", ["-P", String(others.pid)], { encoding: "utf8" })
      .trim()
      .split("\n");
    for (const pid of [...pids, others.pid]) process.kill(Number(pid), "SIGKILL");
  }
});
