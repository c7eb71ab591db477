import { type Command, configHelp, withClient } from "./command";
import { size, table } from "./table";

export const images: Command = {
  usage: "images [--output json] [--config FILE]",
  help: `Lists images.\n\n  --output json   as JSON\n${configHelp}`,
  options: { output: { type: "string" } },
  run: (values) =>
    withClient(values, async (client) => {
      const { images: found } = await client.image("ListImages", {});
      const rows = found.map(({ id, repoTags, repoDigests, size: bytes }) => ({
        id,
        tags: repoTags,
        digests: repoDigests,
        sizeBytes: Number(bytes),
      }));
      if (values["output"] === "json") process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
      else {
        const cells = rows.flatMap((row) =>
          (row.tags.length > 0 ? row.tags : ["<none>"]).map((tag) => [
            tag,
            row.id.replace("sha256:", "").slice(0, 13),
            size(row.sizeBytes),
          ]),
        );
        process.stdout.write(table(["IMAGE", "ID", "SIZE"], cells));
      }
      return 0;
    }),
};
