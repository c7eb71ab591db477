import { ContainerEventType } from "../../api/messages";
import { type Command, configHelp, printJson, withClient } from "./command";

const names = Object.fromEntries(
  Object.entries(ContainerEventType).map(([name, value]) => [
    value,
    name.replace(/^CONTAINER_(.*)_EVENT$/, "$1").toLowerCase(),
  ]),
);

export const events: Command = {
  usage: "events [--output json] [--config FILE]",
  help: `Prints a line for each pod and container that is made, starts, stops or goes, from now on until interrupted.\n
  --output json   the whole events, with the state of their pods, as JSON\n${configHelp}`,
  options: { output: { type: "string" } },
  run: (values) =>
    withClient(values, async (client) => {
      const abort = new AbortController();
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => abort.abort());
      for await (const event of client.stream("GetContainerEvents", {}, abort.signal)) {
        if (values["output"] === "json") {
          printJson(event);
          continue;
        }
        const { containerId, podSandboxStatus, containersStatuses } = event;
        const pod = `${podSandboxStatus?.metadata?.namespace}/${podSandboxStatus?.metadata?.name}`;
        const isPod = containerId === podSandboxStatus?.id;
        const container = containersStatuses.find(({ id }) => id === containerId);
        const subject = isPod ? "pod      " : "container";
        const of = isPod ? pod : [pod, container?.metadata?.name].filter(Boolean).join("/");
        const time = new Date(Number(event.createdAt / 1_000_000n)).toISOString();
        const code = container?.reason ? `  ${container.reason} ${container.exitCode}` : "";
        process.stdout.write(
          `${time}  ${(names[event.containerEventType] ?? "").padEnd(7)}  ${subject}  ${containerId.slice(0, 13)}  ${of}${code}\n`,
        );
      }
      return 0;
    }),
};
