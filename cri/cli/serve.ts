import { type Command, configHelp, configOf } from "./command";

export const serve: Command = {
  usage: "serve [--config FILE]",
  help: `Runs the daemon in the foreground until SIGTERM or SIGINT. Containers go on without it.\n\n${configHelp}`,
  options: {},
  async run(values) {
    const config = configOf(values);
    const { startDaemon } = await import("../main");
    const daemon = await startDaemon(config);
    await new Promise<void>((resolve) => {
      process.once("SIGTERM", () => resolve());
      process.once("SIGINT", () => resolve());
    });
    await daemon.stop();
    // descriptors of watches and agents may still hold the loop
    process.exit(0);
  },
};
