import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "@jest/globals";
import { descendantsOf, identify, isAlive } from "../../sys/process-identity";
import { awaitStart, endWorkersOn, monitoredIn, workersOn } from "./workers";

const root = "/run/nobodys-runtime";
let children: ChildProcess[] = [];

/** A process that runs `script` and is called like a runtime or a monitor. */
function call(script: string, ...args: string[]): number {
  const child = spawn("sh", ["-c", script, "sh", ...args], { stdio: "ignore" });
  children.push(child);
  return child.pid!;
}
const newId = () => randomBytes(32).toString("hex");

afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children = [];
});

test("workersOn() finds those who name both the runtime's directory and the container", async () => {
  const [id, other] = [newId(), newId()];
  const pid = call("sleep 100; exit", `--root=${root}`, "create", id);
  call("sleep 100; exit", `--root=${root}`, "create", other);
  call("sleep 100; exit", "--root=/run/another", "create", id);
  while (workersOn(root, id).length === 0) await sleep(2);
  expect(workersOn(root, id).map((worker) => worker.pid)).toEqual([pid]);
});

test("endWorkersOn() ends them with what they have started, though they start more all the time", async () => {
  const id = newId();
  const pid = call("while :; do sleep 100 & sleep 0.01; done", "create", `--root=${root}`, id);
  while (descendantsOf(pid).length < 5) await sleep(2);
  const some = descendantsOf(pid).map((each) => identify(each)!);
  await endWorkersOn(root, id);
  expect(workersOn(root, id)).toEqual([]);
  expect(some.filter(isAlive)).toEqual([]);
  expect(descendantsOf(pid)).toEqual([]);
});

test("awaitStart() waits for a start alone, and not for ever", async () => {
  const id = newId();
  call("sleep 100; exit", `--root=${root}`, "create", id);
  await awaitStart(root, id, 0);
  call("sleep 0.1; exit", `--root=${root}`, "start", id);
  while (workersOn(root, id).length < 2) await sleep(2);
  await expect(awaitStart(root, id, 1)).rejects.toMatchObject({ code: "DeadlineExceeded" });
  await awaitStart(root, id, 10_000);
  expect(workersOn(root, id)).toHaveLength(1);
});

test("monitoredIn() names the containers whose exit codes are to lie in a directory", async () => {
  const id = newId();
  const exits = `/run/${id}/exits`;
  call("sleep 100; exit", "-u", id, "--exit-dir", exits);
  while (monitoredIn(exits).length === 0) await sleep(2);
  expect(monitoredIn(exits)).toEqual([id]);
});
