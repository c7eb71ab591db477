import { type ChildProcess, spawn } from "node:child_process";
import os from "node:os";
import { afterEach, expect, test } from "@jest/globals";
import { hearsSignal } from "./heard-signals";

const { SIGTERM, SIGUSR1 } = os.constants.signals;
let child: ChildProcess | undefined;
afterEach(() => {
  child?.kill("SIGKILL");
});

test("hearsSignal() knows what a process has a handler for", async () => {
  child = spawn("sh", ["-c", "trap 'exit 3' USR1; echo ready; read -r line"]);
  await new Promise((resolve) => child!.stdout!.once("data", resolve));
  expect(hearsSignal(child.pid!, SIGUSR1)).toBe(true);
  expect(hearsSignal(child.pid!, SIGTERM)).toBe(false);
  child.kill("SIGKILL");
  await new Promise((resolve) => child!.once("exit", resolve));
  expect(hearsSignal(child.pid!, SIGUSR1)).toBe(false);
});
