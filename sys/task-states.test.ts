import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "@jest/globals";
import { countTaskStates } from "./task-states";

test("countTaskStates() counts threads by what they are at; a process that is gone has none", async () => {
  const own = countTaskStates([process.pid]);
  // this very thread runs; those of Node's pool wait
  expect(own.running).toBeGreaterThan(0);
  expect(own.sleeping).toBeGreaterThan(0);
  const child = spawn("sleep", ["60"]);
  const gone = once(child, "exit");
  child.kill("SIGSTOP");
  const deadline = performance.now() + 5000;
  const stopped = () => countTaskStates([child.pid!]).stopped === 1;
  while (!stopped() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(countTaskStates([child.pid!])).toEqual({ sleeping: 0, running: 0, stopped: 1, uninterruptible: 0 });
  child.kill("SIGKILL");
  await gone;
  expect(countTaskStates([child.pid!])).toEqual({ sleeping: 0, running: 0, stopped: 0, uninterruptible: 0 });
});
