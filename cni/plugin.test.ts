import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { ProcessOutcome, ProcessRequest } from "./bounded-process";
import { checkPluginsExist, pluginCaller } from "./plugin";

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-bin-"));
  fs.writeFileSync(path.join(directory, "p"), "");
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const fine: ProcessOutcome = { exitCode: 0, signal: null, stdout: "", stderr: "", timedOut: false, flooded: false };
const call = { command: "ADD" as const, type: "p", network: "n", config: { a: 1 } };
const caller = (outcome: Partial<ProcessOutcome>, seen: ProcessRequest[] = []) =>
  pluginCaller({ binDirs: ["/nowhere", directory], timeoutMs: 5000 }, async (request) => {
    seen.push(request);
    return { ...fine, ...outcome };
  });

test("pluginCaller() hands the plugin its parameters and nothing of the daemon's environment", async () => {
  const seen: ProcessRequest[] = [];
  process.env["BERTH_SECRET"] = "x";
  const subject = { sandboxId: "id", netnsPath: "/ns", ifName: "eth0", args: "A=1" };
  expect(await caller({ stdout: "out" }, seen)({ ...call, subject })).toBe("out");
  expect(seen).toEqual([
    {
      file: path.join(directory, "p"),
      env: {
        PATH: process.env["PATH"],
        CNI_COMMAND: "ADD",
        CNI_PATH: `/nowhere:${directory}`,
        CNI_CONTAINERID: "id",
        CNI_NETNS: "/ns",
        CNI_IFNAME: "eth0",
        CNI_ARGS: "A=1",
      },
      input: '{"a":1}',
      timeoutMs: 5000,
      limitBytes: 1048576,
    },
  ]);
});

test.each<[Partial<ProcessOutcome>, string, string]>([
  [{ exitCode: 1, stdout: '{"code":11,"msg":"busy","details":"try"}' }, "Unavailable", "busy; try (code 11)"],
  [{ exitCode: 1, stdout: '{"code":1,"msg":"old"}' }, "FailedPrecondition", "old (code 1)"],
  [{ exitCode: 1, stdout: '{"code":120}' }, "Internal", "no message (code 120)"],
  [{ exitCode: 2, stderr: "panic\n\u0007" }, "Internal", "exit code 2: panic"],
  [{ exitCode: 2, stdout: "oops" }, "Internal", "exit code 2: oops"],
  [{ exitCode: 2 }, "Internal", "exit code 2 without a message"],
  [{ exitCode: null, signal: "SIGSEGV" }, "Internal", "killed by SIGSEGV without a message"],
  [{ exitCode: null, timedOut: true, stderr: "waiting" }, "DeadlineExceeded", "killed after 5 s: waiting"],
  [{ exitCode: null, flooded: true }, "Internal", "killed: it printed more than 1048576 bytes"],
])("pluginCaller() explains the outcome %j", async (outcome, code, why) => {
  const message = `CNI plugin p (ADD, network n): ${why}`;
  await expect(caller(outcome)(call)).rejects.toMatchObject({ code, message });
});

test("pluginCaller() names the directories where a plugin was not found", async () => {
  await expect(caller({})({ ...call, type: "q" })).rejects.toMatchObject({
    code: "FailedPrecondition",
    message: `CNI plugin q (ADD, network n): there is no such plugin in /nowhere, ${directory}`,
  });
});

test("checkPluginsExist() finds the one that is missing", async () => {
  const network = {
    name: "n",
    cniVersion: "1.0.0" as const,
    disableCheck: false,
    disableGC: false,
    loadOnlyInlinedPlugins: true,
    plugins: [{ type: "p" }, { type: "q" }],
  };
  expect(() => checkPluginsExist(network, [directory])).toThrow("CNI plugin q (ADD, network n): there is no");
  checkPluginsExist({ ...network, plugins: [{ type: "p" }] }, [directory]);
});
