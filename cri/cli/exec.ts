import { BerthError } from "../../api/errors";
import { type Command, configHelp, withClient } from "./command";

export const exec: Command = {
  usage: "exec [--config FILE] CONTAINER COMMAND [ARG ...]",
  help: `Runs a command in a running container to its end, prints what it printed and exits with its code.\n
  --timeout S     kill it after so many seconds\n${configHelp}`,
  options: { timeout: { type: "string" } },
  ownWords: 1,
  run: (values, [containerId, ...cmd]) =>
    withClient(values, async (client) => {
      if (!containerId || cmd.length === 0) throw new BerthError("InvalidArgument", "name a container and a command");
      const timeout = BigInt((values["timeout"] as string | undefined) ?? 0);
      const { stdout, stderr, exitCode } = await client.runtime("ExecSync", { containerId, cmd, timeout });
      process.stdout.write(stdout);
      process.stderr.write(stderr);
      return exitCode;
    }),
};
