import { BerthError } from "../../api/errors";
import { ContainerState } from "../../api/messages";
import { type Command, configHelp, withClient } from "./command";
import { readLog } from "./log-reader";

export const logs: Command = {
  usage: "logs [--follow] [--config FILE] CONTAINER",
  help: `Prints what a container has written.\n\n  -f, --follow    go on until it ends\n${configHelp}`,
  options: { follow: { type: "boolean", short: "f" } },
  run: (values, [containerId]) =>
    withClient(values, async (client) => {
      if (!containerId) throw new BerthError("InvalidArgument", "name a container");
      const { status } = await client.runtime("ContainerStatus", { containerId });
      if (!status?.logPath) throw new BerthError("FailedPrecondition", `container ${containerId} has no log`);
      const isOver = async () =>
        (await client.runtime("ContainerStatus", { containerId })).status?.state !== ContainerState.CONTAINER_RUNNING;
      for await (const line of readLog(status.logPath, values["follow"] ? { isOver } : undefined)) {
        process[line.stream].write(line.text);
      }
      return 0;
    }),
};
