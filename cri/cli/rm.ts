import { BerthError } from "../../api/errors";
import { type Command, configHelp, withClient } from "./command";
import { removePod } from "./pods";

export const rm: Command = {
  usage: "rm [--config FILE] ID ...",
  help: `Stops and removes pods, each named by its own ID or by that of one of its containers.\n\n${configHelp}`,
  options: {},
  run: (values, ids) =>
    withClient(values, async (client, config) => {
      if (ids.length === 0) throw new BerthError("InvalidArgument", "name what to remove");
      for (const id of ids) {
        const { containers } = await client.runtime("ListContainers", { filter: { id } });
        const { items } = await client.runtime("ListPodSandbox", { filter: { id } });
        const pod = containers[0]?.podSandboxId ?? items[0]?.id;
        if (!pod) throw new BerthError("NotFound", `there is no container and no pod ${id}`);
        await removePod(client, config, pod);
        process.stdout.write(`${id}\n`);
      }
      return 0;
    }),
};
