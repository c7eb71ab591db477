import { BerthError, messageOf } from "../../api/errors";
import type { Config } from "../../api/config/schema";
import type { Client } from "../client/client";
import { type Command, configHelp, withClient } from "./command";
import { removePod } from "./pods";

export const rm: Command = {
  usage: "rm [--force] [--config FILE] ID ...",
  help: `Stops and removes pods, each named by its own ID or by that of one of its containers.

  --force         also one whose network plugins fail to take it down: they are not asked again, and its addresses
                  may stay taken. With a pod's whole ID also what is left of one that is gone
${configHelp}`,
  options: { force: { type: "boolean" } },
  run: (values, ids) =>
    withClient(values, async (client, config) => {
      if (ids.length === 0) throw new BerthError("InvalidArgument", "name what to remove");
      for (const id of ids) {
        const { containers } = await client.runtime("ListContainers", { filter: { id } });
        const { items } = await client.runtime("ListPodSandbox", { filter: { id } });
        const pod = containers[0]?.podSandboxId ?? items[0]?.id;
        if (values["force"] === true) await removeByForce(client, config, { id, pod });
        else if (pod) await removePod(client, config, pod);
        else throw missing(id);
        process.stdout.write(`${id}\n`);
      }
      return 0;
    }),
};

const missing = (id: string) => new BerthError("NotFound", `there is no container and no pod ${id}`);

/** Only what is not taken down as it should be is forgotten. */
async function removeByForce(client: Client, config: Config, { id, pod }: { id: string; pod?: string }): Promise<void> {
  if (!pod) {
    const isWhole = /^[0-9a-f]{64}$/.test(id);
    const { forgotten } = isWhole ? await client.berth("ForgetNetwork", { podSandboxId: id }) : { forgotten: false };
    if (!forgotten) throw missing(id);
    return;
  }
  try {
    await removePod(client, config, pod);
  } catch (error) {
    process.stderr.write(`berth rm: ${messageOf(error)}\n`);
    await client.berth("ForgetNetwork", { podSandboxId: pod });
    await removePod(client, config, pod);
  }
}
