import { randomBytes } from "node:crypto";
import path from "node:path";
import type { Config } from "../../api/config/schema";
import { BerthError } from "../../api/errors";
import { ContainerState, type Init, NamespaceMode, type PodSandboxConfig } from "../../api/messages";
import type { Client } from "../client/client";
import { type Command, configHelp, type Values, withClient } from "./command";
import { readLog } from "./log-reader";
import { hiddenPaths } from "./hidden-paths";
import { logDirectoryOf, removePod, runLabel } from "./pods";
import { pullWithProgress } from "./pull-progress";

export const run: Command = {
  usage: "run [--detach] [--name NAME] [--network pod|host] [--output json] [--config FILE] IMAGE [COMMAND ...]",
  help: `Runs a command in a pod of its own, prints its output as it comes, exits with its code and removes the pod.
The image is pulled where it is missing.

  -d, --detach    return once it runs; print the container's ID and leave it
  --name NAME     of the pod
  --network MODE  pod (its own, by CNI) or host
  --output json   with --detach: sandboxId, containerId and ip as JSON
${configHelp}`,
  options: {
    detach: { type: "boolean", short: "d" },
    name: { type: "string" },
    network: { type: "string" },
    output: { type: "string" },
  },
  ownWords: 1,
  run: (values, [image, ...command]) =>
    withClient(values, async (client, config) => {
      if (!image) throw new BerthError("InvalidArgument", "name the image to run");
      const { image: found } = await client.image("ImageStatus", { image: { image } });
      if (!found) await pullWithProgress(client, image);
      return runPod({ client, config, values, image, command });
    }),
};

interface PodRun {
  client: Client;
  config: Config;
  values: Values;
  image: string;
  command: string[];
}

async function runPod({ client, config, values, image, command }: PodRun): Promise<number> {
  const pod = podConfig(config, values);
  const { podSandboxId } = await client.runtime("RunPodSandbox", { config: pod });
  let interrupts = 0;
  let containerId = "";
  const interrupt = () => {
    interrupts++;
    // the second time is not asked politely
    if (containerId)
      client.runtime("StopContainer", { containerId, timeout: interrupts > 1 ? 0n : 10n }).catch(() => {});
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  let left = false;
  try {
    const created = await client.runtime("CreateContainer", {
      podSandboxId,
      sandboxConfig: pod,
      config: {
        metadata: { name: "main" },
        image: { image },
        args: command,
        logPath: "main.log",
        linux: {
          securityContext: {
            ...hiddenPaths,
            namespaceOptions: pod.linux!.securityContext!.namespaceOptions,
            seccomp: {},
          },
        },
      },
    });
    containerId = created.containerId;
    await client.runtime("StartContainer", { containerId });
    if (values["detach"]) {
      await printDetached({ client, values, podSandboxId, containerId });
      left = true;
      return 0;
    }
    return await follow(client, path.join(pod.logDirectory!, "main.log"), containerId);
  } finally {
    if (!left) await removePod(client, config, podSandboxId);
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

function podConfig(config: Config, values: Values): Init<PodSandboxConfig> {
  const name = (values["name"] as string | undefined) ?? `run-${randomBytes(4).toString("hex")}`;
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) {
    throw new BerthError(
      "InvalidArgument",
      `"${name}" can't be a pod's name: lower-case letters, digits and - only, at most 63`,
    );
  }
  const network = values["network"] ?? "pod";
  if (network !== "pod" && network !== "host") throw new BerthError("InvalidArgument", "--network is pod or host");
  return {
    metadata: { name, namespace: "berth", uid: randomBytes(8).toString("hex"), attempt: 0 },
    hostname: network === "host" ? "" : name,
    logDirectory: logDirectoryOf(config, name),
    labels: { [runLabel]: name },
    linux: {
      securityContext: {
        namespaceOptions: {
          network: network === "host" ? NamespaceMode.NODE : NamespaceMode.POD,
          pid: NamespaceMode.CONTAINER,
          ipc: NamespaceMode.POD,
        },
      },
    },
  };
}

interface Detached {
  client: Client;
  values: Values;
  podSandboxId: string;
  containerId: string;
}

async function printDetached({ client, values, podSandboxId, containerId }: Detached): Promise<void> {
  if (values["output"] !== "json") {
    process.stdout.write(`${containerId}\n`);
    return;
  }
  const { status } = await client.runtime("PodSandboxStatus", { podSandboxId });
  const ip = status?.network?.ip ?? "";
  process.stdout.write(`${JSON.stringify({ sandboxId: podSandboxId, containerId, ip })}\n`);
}

/** Prints the log until the container ends; returns its exit code. */
async function follow(client: Client, file: string, containerId: string): Promise<number> {
  const statusOf = async () => (await client.runtime("ContainerStatus", { containerId })).status!;
  const isOver = async () => (await statusOf()).state !== ContainerState.CONTAINER_RUNNING;
  for await (const line of readLog(file, { isOver })) process[line.stream].write(line.text);
  return (await statusOf()).exitCode;
}
