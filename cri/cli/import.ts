import path from "node:path";
import { BerthError } from "../../api/errors";
import { type Command, configHelp, withClient } from "./command";

export const importImages: Command = {
  usage: "import FILE [--name NAME] [--config FILE]",
  help: `Takes the images of an OCI or docker archive (plain, gzip or zstd) and prints their names.\n
  --name NAME     for an archive that names none\n${configHelp}`,
  options: { name: { type: "string" } },
  run: (values, [file]) =>
    withClient(values, async (client) => {
      if (!file) throw new BerthError("InvalidArgument", "name the archive to import");
      const { images } = await client.berth("ImportImages", {
        path: path.resolve(file),
        name: (values["name"] as string) ?? "",
      });
      for (const { id, tags } of images) process.stdout.write(`${(tags.length > 0 ? tags : [id]).join("\n")}\n`);
      return 0;
    }),
};
