import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { Crictl } from "../support/crictl";
import { startDaemon, type TestDaemon } from "../support/daemon";

jest.setTimeout(20_000);

/** The configuration of a daemon that runs, read again on SIGHUP. */
let daemon: TestDaemon;
let original = "";

beforeAll(async () => {
  daemon = await startDaemon({ options: { log: { format: "json" } } });
  original = fs.readFileSync(daemon.configFile, "utf8");
}, 30_000);
afterAll(() => daemon?.remove(), 30_000);

interface Line {
  level: string;
  message: string;
  method?: string;
}
const lines = () =>
  daemon
    .readLog()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line);

/** Writes the configuration, sends SIGHUP and gives what the log says of it. */
async function reload(text: string): Promise<Line[]> {
  const before = lines().length;
  fs.writeFileSync(daemon.configFile, text);
  daemon.child!.kill("SIGHUP");
  for (let i = 0; i < 100 && lines().length === before; i++) await sleep(20);
  await sleep(50);
  return lines().slice(before);
}

test("SIGHUP takes over what it can, and the log lists that and what needs a restart", async () => {
  const crictl = new Crictl(daemon);
  await crictl.run("version");
  expect(lines().some(({ message }) => message === "Version")).toBe(false);
  const said = await reload(
    `${original.replace("[log]", '[log]\nlevel = "debug"')}\n[streaming]\nidle_timeout_s = 5\n[runtime]\npids_limit = 77\n`,
  );
  expect(said.map(({ level, message }) => `${level} ${message}`)).toEqual([
    "info the configuration is reloaded",
    "info log.level is changed",
    "info runtime.pids_limit is changed",
    "warn streaming.idle_timeout_s is changed in the file and holds after a restart",
  ]);
  expect(said[0]).toMatchObject({
    applied: "log.level runtime.pids_limit",
    restart_needed: "streaming.idle_timeout_s",
  });
  await crictl.run("version");
  expect(lines().some(({ message }) => message === "Version")).toBe(true);
});

test("a wrong configuration changes nothing and is told with its place", async () => {
  const said = await reload(`${original}\n[runtime]\npids_limit = "many"\n`);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatchObject({
    level: "error",
    error: expect.stringMatching(/config\.toml:\d+: runtime\.pids_limit/),
  });
  await new Crictl(daemon).run("version");
  expect(lines().at(-1)?.message).toBe("Version");
});

test("credentials that are changed are not in the log", async () => {
  const secret = "correct-horse-battery";
  const said = await reload(`${original}\n[images.registries."example.org"]\nusername = "u"\npassword = "${secret}"\n`);
  expect(JSON.stringify(said)).toContain("images.registries");
  await new Crictl(daemon).try("pull", `u:${secret}@127.0.0.1:1/x/y`);
  await new Crictl(daemon).try("pull", "--creds", `u:${secret}`, "127.0.0.1:1/x/y");
  expect(daemon.readLog()).not.toContain(secret);
});
