import { Client } from "../client/client";
import { Logger } from "../log";
import { ServiceManager } from "../service-manager";
import { type Command, configHelp, configOf } from "./command";

export const serve: Command = {
  usage: "serve [--config FILE]",
  help: `Runs the daemon in the foreground until SIGTERM or SIGINT. Containers go on without it.\n\n${configHelp}`,
  options: {},
  async run(values) {
    const config = configOf(values);
    // one connection for all self-checks: they need no new descriptor when there are none left
    const self = new Client(config.socket);
    const manager = new ServiceManager(process.env, {
      selfCheck: async (timeoutMs) => void (await self.runtime("Version", {}, { timeoutMs })),
      report: new Logger(config.log.level, config.log.format).warn,
    });
    const { startDaemon } = await import("../main");
    const daemon = await startDaemon(config);
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
