import { ContainerState } from "../../api/messages";
import { type Command, configHelp, withClient } from "./command";
import { ago, table } from "./table";

const stateNames = Object.fromEntries(
  Object.entries(ContainerState).map(([name, value]) => [value, name.replace("CONTAINER_", "").toLowerCase()]),
);

export const ps: Command = {
  usage: "ps [--all] [--output json] [--config FILE]",
  help: `Lists running containers.\n\n  -a, --all       those that do not run too\n  --output json   as JSON\n${configHelp}`,
  options: { all: { type: "boolean", short: "a" }, output: { type: "string" } },
  run: (values) =>
    withClient(values, async (client) => {
      const state = values["all"] ? undefined : { state: ContainerState.CONTAINER_RUNNING };
      const [{ containers }, { items }] = await Promise.all([
        client.runtime("ListContainers", { filter: { state } }),
        client.runtime("ListPodSandbox", {}),
      ]);
      const pods = new Map(items.map((pod) => [pod.id, pod.metadata]));
      const rows = containers.map((container) => ({
        id: container.id,
        image: container.image?.image ?? "",
        state: stateNames[container.state] ?? "unknown",
        createdAtNs: String(container.createdAt),
        name: container.metadata?.name ?? "",
        pod: `${pods.get(container.podSandboxId)?.namespace ?? ""}/${pods.get(container.podSandboxId)?.name ?? ""}`,
        podId: container.podSandboxId,
      }));
      if (values["output"] === "json") process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
      else {
        const cells = rows.map((r) => [
          r.id.slice(0, 13),
          r.image,
          ago(BigInt(r.createdAtNs)),
          r.state,
          r.name,
          r.podId.slice(0, 13),
          r.pod,
        ]);
        process.stdout.write(table(["CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "POD ID", "POD"], cells));
      }
      return 0;
    }),
};
