import path from "node:path";
import {
  type ContainerConfig,
  ContainerState,
  type ContainerStatus,
  type Init,
  type PodSandboxConfig,
} from "../../api/messages";
import type { CallOptions, Client } from "../../cri/client/client";

/** What the calls go to; asked for at each call, since tests make it before they start. */
interface Context {
  client: Client;
  daemon: { directory: string };
  /** What containers are made of unless they say otherwise. */
  image: string;
}

/** Pods and containers over gRPC, each with a name of its own and what a test does not care for filled in. */
export function podCalls(context: () => Context) {
  let counter = 0;

  function podConfig(over: Init<PodSandboxConfig> = {}): Init<PodSandboxConfig> {
    const name = `pod-${++counter}`;
    return {
      metadata: { name, namespace: "default", uid: `uid-${name}` },
      logDirectory: path.join(context().daemon.directory, "logs", name),
      linux: {},
      ...over,
    };
  }

  async function runPod(over: Init<PodSandboxConfig> = {}, runtimeHandler = ""): Promise<string> {
    const request = { config: podConfig(over), runtimeHandler };
    return (await context().client.runtime("RunPodSandbox", request)).podSandboxId;
  }

  function containerConfig(over: Init<ContainerConfig> = {}): Init<ContainerConfig> {
    const name = `c-${++counter}`;
    const { image } = context();
    const command = ["sleep", "1000"];
    return { metadata: { name }, image: { image }, command, logPath: `${name}.log`, linux: {}, ...over };
  }

  async function create(podSandboxId: string, config: Init<ContainerConfig>, options: CallOptions = {}) {
    return (await context().client.runtime("CreateContainer", { podSandboxId, config }, options)).containerId;
  }

  const createContainer = (pod: string, over: Init<ContainerConfig> = {}): Promise<string> =>
    create(pod, containerConfig(over));

  async function runContainer(pod: string, over: Init<ContainerConfig> = {}): Promise<string> {
    const containerId = await createContainer(pod, over);
    await context().client.runtime("StartContainer", { containerId });
    return containerId;
  }

  const statusOf = async (containerId: string): Promise<ContainerStatus> =>
    (await context().client.runtime("ContainerStatus", { containerId })).status!;

  const podStatusOf = async (podSandboxId: string) =>
    (await context().client.runtime("PodSandboxStatus", { podSandboxId })).status!;

  const stop = (containerId: string, timeout: number, options: CallOptions = {}) =>
    context().client.runtime("StopContainer", { containerId, timeout: BigInt(timeout) }, options);

  /** What a shell in a running container prints. */
  async function inside(containerId: string, script: string): Promise<string> {
    const { stdout } = await context().client.runtime("ExecSync", { containerId, cmd: ["sh", "-c", script] });
    return Buffer.from(stdout).toString().trimEnd();
  }

  const exited = (id: string) =>
    eventually(
      () => statusOf(id),
      ({ state }) => state === ContainerState.CONTAINER_EXITED,
    );

  async function processesOf(containerId: string): Promise<{ pid: number; monitorPid: number }> {
    const { info } = await context().client.runtime("ContainerStatus", { containerId, verbose: true });
    return JSON.parse(info["info"]!);
  }

  /** Removes all pods with what is in them. */
  async function removePods(): Promise<void> {
    const { items } = await context().client.runtime("ListPodSandbox", {});
    await Promise.all(items.map(({ id }) => context().client.runtime("RemovePodSandbox", { podSandboxId: id })));
  }

  return {
    ...{ podConfig, runPod, containerConfig, create, createContainer, runContainer },
    ...{ statusOf, podStatusOf, stop, inside, exited, processesOf, removePods },
  };
}

/** Looks until what it sees is good, for 8 s at most; gives what it saw last. */
export async function eventually<T>(look: () => Promise<T> | T, isGood: (value: T) => boolean): Promise<T> {
  for (let i = 0; ; i++) {
    const value = await look();
    if (isGood(value) || i >= 400) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
