import fs from "node:fs";
import path from "node:path";
import type { Config } from "../../api/config/schema";
import type { Client } from "../client/client";

/** Marks pods that `berth run` has made. */
export const runLabel = "berth.run";

/** Where the logs of such pods lie, a directory each. */
export const logDirectoryOf = (config: Config, name: string) => path.join(config.state, "run-logs", name);

/** Removes a pod, and its logs where `berth run` has made it. */
export async function removePod(client: Client, config: Config, podSandboxId: string): Promise<void> {
  const { items } = await client.runtime("ListPodSandbox", { filter: { id: podSandboxId } });
  await client.runtime("RemovePodSandbox", { podSandboxId });
  const pod = items[0];
  if (pod?.labels[runLabel] !== undefined && /^[\w-]+$/.test(pod.metadata?.name ?? "")) {
    fs.rmSync(logDirectoryOf(config, pod.metadata!.name), { recursive: true, force: true });
  }
}
