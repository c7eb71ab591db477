// A Berth of its own, to be measured.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { environment, layOut, remove, stop } from "../support/daemon.cjs";
import { startServer } from "./server.mjs";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * @param source { name, directory, registry, prefixLength, Client, handler, runc }: runc is a path, handler crun (the default) or runc
 */
export function berthRuntime({ name, directory, registry, prefixLength, Client, handler, runc }) {
  const options = { runtime: { default_handler: handler, handlers: { runc: { path: runc } } } };
  const daemon = layOut(directory, { registry, prefixLength, options });
  fs.mkdirSync(daemon.state);
  // as on a node; it goes with what else is mounted below the directory
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", daemon.state]);
  return {
    name,
    client: undefined,
    pid: () => daemon.child.pid,
    monitorOf: (args) => /^\S*conmon /.test(args) && args.includes(`${daemon.directory}/`),
    /** Milliseconds until it answers. */
    async start() {
      const command = [path.join(PROJECT, "bin/berth"), "serve", "--config", daemon.configFile];
      const { socket, log } = daemon;
      const started = await startServer({ command, env: environment(), log, socket, Client });
      daemon.child = started.child;
      this.client = started.client;
      return started.milliseconds;
    },
    async stop() {
      this.client?.close();
      await stop(daemon);
    },
    async remove() {
      this.client?.close();
      await remove(daemon);
    },
    log: daemon.log,
    owned: [directory, daemon.bridge, daemon.network],
  };
}
