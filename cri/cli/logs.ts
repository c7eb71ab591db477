import { BerthError } from "../../api/errors";
import { ContainerState } from "../../api/messages";
import { type Command, configHelp, withClient } from "./command";
import { type LogLine, readLog } from "./log-reader";

export const logs: Command = {
  usage: "logs [--follow] [--tail N] [--timestamps] [--config FILE] CONTAINER",
  help: `Prints what a container has written.\n
  -f, --follow    go on until it ends
  --tail N        only the last N lines of what there is
  --timestamps    the time before each line\n${configHelp}`,
  options: {
    follow: { type: "boolean", short: "f" },
    tail: { type: "string" },
    timestamps: { type: "boolean" },
  },
  run: (values, [containerId]) =>
    withClient(values, async (client) => {
      if (!containerId) throw new BerthError("InvalidArgument", "name a container");
      const tail = values["tail"];
      if (tail !== undefined && !/^\d+$/.test(String(tail)))
        throw new BerthError("InvalidArgument", `--tail is "${String(tail)}"; expected a number of lines`);
      const { status } = await client.runtime("ContainerStatus", { containerId });
      if (!status?.logPath) throw new BerthError("FailedPrecondition", `container ${containerId} has no log`);
      const isOver = async () =>
        (await client.runtime("ContainerStatus", { containerId })).status?.state !== ContainerState.CONTAINER_RUNNING;
      const print = ({ stream, time, text }: LogLine) =>
        process[stream].write(values["timestamps"] ? `${time} ${text}` : text);
      let skip = tail === undefined ? 0 : (await countLines(status.logPath)) - Number(tail);
      for await (const line of readLog(status.logPath, values["follow"] ? { isOver } : undefined)) {
        if (skip <= 0) print(line);
        if (line.text.endsWith("\n")) skip--;
      }
      return 0;
    }),
};

async function countLines(file: string): Promise<number> {
  let count = 0;
  for await (const { text } of readLog(file)) if (text.endsWith("\n")) count++;
  return count;
}
