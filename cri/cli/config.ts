import { printConfig, printDefaults } from "../../api/config/print";
import { BerthError } from "../../api/errors";
import { type Command, configHelp, configOf } from "./command";

export const config: Command = {
  usage: "config default|dump [--config FILE]",
  help: `default prints every option with its default and what it does; dump prints what is in force,
the file and its drop-ins read, secrets left out.\n\n${configHelp}`,
  options: {},
  async run(values, [what]) {
    if (what === "default") process.stdout.write(printDefaults());
    else if (what === "dump") process.stdout.write(printConfig(configOf(values)));
    else throw new BerthError("InvalidArgument", "say `berth config default` or `berth config dump`");
    return 0;
  },
};
