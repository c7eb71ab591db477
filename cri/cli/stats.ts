import { setTimeout as sleep } from "node:timers/promises";
import type { ContainerStats, UInt64Value } from "../../api/messages";
import type { Client } from "../client/client";
import { type Command, configHelp, printJson, secondsOf, withClient } from "./command";
import { size, table } from "./table";

export const stats: Command = {
  usage: "stats [--watch S] [--output json] [--config FILE]",
  help: `Prints what each running container uses: CPU (100% is one processor), memory that can't be taken from it,
and what it has written to its root file system.\n
  -w, --watch S   again every so many seconds, until interrupted
  --output json   as JSON\n${configHelp}`,
  options: { watch: { type: "string", short: "w" }, output: { type: "string" } },
  run: (values) =>
    withClient(values, async (client) => {
      const everyS = secondsOf(values, "watch", 0);
      for (;;) {
        const { stats: all } = await client.runtime("ListContainerStats", {});
        if (values["output"] === "json") printJson(all);
        else process.stdout.write(await statsTable(client, all));
        if (everyS === 0) return 0;
        await sleep(everyS * 1000);
        process.stdout.write("\n");
      }
    }),
};

async function statsTable(client: Client, all: ContainerStats[]): Promise<string> {
  const [{ containers }, { items }] = await Promise.all([
    client.runtime("ListContainers", {}),
    client.runtime("ListPodSandbox", {}),
  ]);
  const podIds = new Map(containers.map(({ id, podSandboxId }) => [id, podSandboxId]));
  const pods = new Map(items.map(({ id, metadata }) => [id, `${metadata?.namespace}/${metadata?.name}`]));
  const rows = all.map(({ attributes, cpu, memory, writableLayer }) => [
    attributes?.id.slice(0, 13) ?? "",
    pods.get(podIds.get(attributes?.id ?? "") ?? "") ?? "",
    attributes?.metadata?.name ?? "",
    cpu?.usageNanoCores ? `${(Number(cpu.usageNanoCores.value) / 1e7).toFixed(1)}%` : "-",
    bytes(memory?.workingSetBytes),
    bytes(writableLayer?.usedBytes),
    String(writableLayer?.inodesUsed?.value ?? "-"),
  ]);
  return table(["CONTAINER", "POD", "NAME", "CPU", "MEMORY", "WRITTEN", "INODES"], rows);
}

const bytes = (value: UInt64Value | null | undefined) => (value ? size(Number(value.value)) : "-");
