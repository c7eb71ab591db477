import { runtimeName, version as berthVersion } from "../version";
import type { Command } from "./command";

export const version: Command = {
  usage: "version",
  help: "Prints the versions of Berth, of Node.js and of the CRI.",
  options: {},
  async run() {
    process.stdout.write(`${runtimeName} ${berthVersion}\nnode ${process.version}\nCRI v1\n`);
    return 0;
  },
};
