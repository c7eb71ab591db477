import { BerthError } from "../../api/errors";
import { type Command, configHelp, configOf } from "./command";

export const ui: Command = {
  usage: "ui [--config FILE]",
  help: `Prints the address of a page, served by the daemon to this machine alone, that shows the node's pods,
containers, images, space, events and latencies. From elsewhere: ssh -L 1338:127.0.0.1:1338 NODE.\n\n${configHelp}`,
  options: {},
  async run(values) {
    const { address } = configOf(values).metrics;
    if (!address)
      throw new BerthError("FailedPrecondition", "metrics.address is not set", {
        hint: 'set it to "127.0.0.1:1338" and restart the daemon; pods go on',
      });
    const url = `http://${address}/`;
    const answer = await fetch(url).catch((error: Error) => {
      throw new BerthError("Unavailable", `nothing answers at ${url}: ${(error.cause as Error | undefined)?.message}`, {
        hint: "is the daemon running with this configuration?",
      });
    });
    if (!answer.ok)
      throw new BerthError("FailedPrecondition", `${url} answers ${answer.status}: ${await answer.text()}`);
    process.stdout.write(`${url}\n`);
    return 0;
  },
};
