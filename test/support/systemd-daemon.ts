import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import type { DaemonSource } from "../../hack/support/daemon.cjs";
import { Client } from "../../cri/client/client";
import { type TestDaemon, testDaemon } from "./daemon";
import { uniqueId } from "./unique";

const project = path.join(__dirname, "../..");

export const systemctl = (...args: string[]) => execFileSync("systemctl", args, { encoding: "utf8" });

/** A daemon that systemd runs, by a unit as manifests/systemd has it but for where things lie. */
export interface SystemdDaemon {
  daemon: TestDaemon;
  unit: string;
  /** Waits until it serves. */
  ready(): Promise<void>;
  remove(): Promise<void>;
}

export async function startSystemdDaemon(source: DaemonSource): Promise<SystemdDaemon> {
  const daemon = testDaemon(source);
  const unit = `berth-test-${uniqueId()}.service`;
  const file = path.join("/run/systemd/system", unit);
  const text = fs.readFileSync(path.join(project, "manifests/systemd/berth.service"), "utf8");
  const command = `ExecStart=${path.join(project, "bin/berth")} serve --config ${daemon.configFile}`;
  const ready = async () => {
    const until = Date.now() + 60_000;
    for (;;) {
      const client = new Client(daemon.socket);
      try {
        await client.runtime("Version", {}, { timeoutMs: 5000 });
        return;
      } catch (error) {
        if (Date.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200));
      } finally {
        client.close();
      }
    }
  };
  const remove = async () => {
    systemctl("stop", unit);
    fs.rmSync(file, { force: true });
    systemctl("daemon-reload");
    await daemon.remove();
  };
  fs.writeFileSync(file, text.replace(/^ExecStart=.*$/m, command));
  try {
    systemctl("daemon-reload");
    systemctl("start", unit);
    await ready();
  } catch (error) {
    await remove();
    throw error;
  }
  return { daemon, unit, ready, remove };
}
