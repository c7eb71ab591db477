import { Client } from "../client/client";
import { Logger } from "../log";
import type { Daemon } from "../main";
import { ServiceManager } from "../service-manager";
import { type Command, configHelp, configOf } from "./command";

export const serve: Command = {
  usage: "serve [--config FILE]",
  help: `Runs the daemon in the foreground until SIGTERM or SIGINT. Containers go on without it.
SIGHUP reads the configuration again; the log tells what was taken over and what needs a restart.\n\n${configHelp}`,
  options: {},
  async run(values) {
    let daemon: Daemon | undefined;
    // from the first, for it would end a process that does not hear it
    process.on("SIGHUP", () => daemon?.reload(() => configOf(values)));
    const config = configOf(values);
    // one connection for all self-checks: they need no new descriptor when there are none left
    const self = new Client(config.socket);
    const manager = new ServiceManager(process.env, {
      selfCheck: async (timeoutMs) => void (await self.runtime("Version", {}, { timeoutMs })),
      report: new Logger(config.log.level, config.log.format).warn,
    });
    const { startDaemon } = await import("../main");
    daemon = await startDaemon(config);
    manager.ready(`serves the CRI on ${config.socket}`);
    await new Promise<void>((resolve) => {
      process.once("SIGTERM", () => resolve());
      process.once("SIGINT", () => resolve());
    });
    manager.stopping();
    self.close();
    await daemon.stop();
    // descriptors of watches and agents may still hold the loop
    process.exit(0);
  },
};
