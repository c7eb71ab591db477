import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createUnderMonitor } from "./conmon";

let bundle: string;
beforeEach(() => {
  bundle = fs.mkdtempSync(path.join(os.tmpdir(), "berth-conmon-"));
});
afterEach(() => fs.rmSync(bundle, { recursive: true }));

/** A monitor that is the shell script. */
function create(script: string) {
  const conmon = path.join(bundle, "conmon");
  fs.writeFileSync(conmon, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const runtime = { path: "/none", args: [] };
  const flags = { terminal: false, stdin: false, systemdCgroup: false };
  const log = { logPath: undefined, logSizeMaxBytes: -1, exitDirectory: bundle };
  return createUnderMonitor({ conmon, id: "c", bundle, runtime, ...log, ...flags, timeoutMs: 10_000 });
}

test("createUnderMonitor() has the monitor's number in its file, however late that is written", async () => {
  const { pid } = await create(`echo '{"data":42}' >&3; sleep 0.2; echo 7 >conmon.pid`);
  expect(pid).toBe(42);
  expect(fs.readFileSync(path.join(bundle, "conmon.pid"), "utf8")).toBe("7\n");
});

test("createUnderMonitor() throws what the runtime complains of, and what a monitor says that ends before", async () => {
  await expect(create(`echo '{"data":-1,"message":"no such program"}' >&3`)).rejects.toThrow("no such program");
  await expect(create("echo out of memory >&2; exit 1")).rejects.toThrow("ended before the container was made: out of");
});
