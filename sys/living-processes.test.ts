import fs from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "@jest/globals";
import { LivingProcesses } from "./living-processes";
import { identify } from "./process-identity";

const pidfds = () =>
  fs.readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`).includes("pidfd");
    } catch {
      return false;
    }
  }).length;

test("a process is alive until it ends, and no descriptor of it is left then", async () => {
  const processes = new LivingProcesses();
  const before = pidfds();
  const child = spawn("sleep", ["100"], { stdio: "ignore" });
  const identity = identify(child.pid!)!;
  expect(processes.isAlive(identity)).toBe(true);
  expect(processes.isAlive({ ...identity, startTime: "1" })).toBe(false);
  await Promise.resolve();
  expect(processes.isAlive(identity)).toBe(true);
  expect(pidfds()).toBe(before + 1);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(processes.isAlive(identity)).toBe(false);
  expect(pidfds()).toBe(before);
});
