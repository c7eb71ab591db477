import { type ChildProcess, spawn } from "node:child_process";
import { afterEach, describe, expect, test } from "@jest/globals";
import { executableOf, waitForExec } from "./wait-for-exec";

let child: ChildProcess | undefined;
afterEach(() => {
  child?.kill("SIGKILL");
});

describe("waitForExec()", () => {
  test("comes back once the process runs another file", async () => {
    child = spawn("sh", ["-c", "sleep 0.2; exec sleep 100"]);
    const before = executableOf(child.pid!);
    await waitForExec(child.pid!, before, 5000);
    expect(executableOf(child.pid!)).not.toBe(before);
  });

  test("waits no longer than it may, and for nobody who is gone", async () => {
    child = spawn("sleep", ["100"]);
    const began = performance.now();
    await waitForExec(child.pid!, executableOf(child.pid!), 30);
    const waitedMs = performance.now() - began;
    expect(waitedMs).toBeGreaterThanOrEqual(29);
    child.kill("SIGKILL");
    await new Promise((resolve) => child!.once("exit", resolve));
    expect(executableOf(child.pid!)).toBeUndefined();
    await waitForExec(child.pid!, "1:1", 5000);
    expect(performance.now() - began).toBeLessThan(2000);
  });
});
