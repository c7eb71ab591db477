import path from "node:path";
import { BerthError } from "../../api/errors";
import { type Command, configHelp, withClient } from "./command";

export const exportImage: Command = {
  usage: "export IMAGE FILE [--config FILE]",
  help: `Writes an image to an OCI archive that docker can load too.\n\n${configHelp}`,
  options: {},
  run: (values, [image, file]) =>
    withClient(values, async (client) => {
      if (!image || !file) throw new BerthError("InvalidArgument", "name the image and the file to write");
      await client.berth("ExportImage", { image, path: path.resolve(file) });
      return 0;
    }),
};
