import { BerthError } from "../../api/errors";
import { type Command, configHelp, withClient } from "./command";
import { pullWithProgress } from "./pull-progress";

export const pull: Command = {
  usage: "pull IMAGE [--config FILE]",
  help: `Fetches an image with the credentials of the configuration and prints its ID.\n\n${configHelp}`,
  options: {},
  run: (values, [image]) =>
    withClient(values, async (client) => {
      if (!image) throw new BerthError("InvalidArgument", "name the image to pull");
      process.stdout.write(`${await pullWithProgress(client, image)}\n`);
      return 0;
    }),
};
