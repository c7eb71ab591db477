import type { ContainerConfig, Init, LinuxPodSandboxConfig } from "../../api/messages";
import type { Client } from "../../cri/client/client";

export interface TestPod {
  id: string;
  /** Makes and starts a container; its ID. */
  run(name: string, command: string[], linux?: Init<ContainerConfig>["linux"]): Promise<string>;
  /** Makes one. */
  create(name: string, command: string[], linux?: Init<ContainerConfig>["linux"]): Promise<string>;
}

export interface PodRequest {
  name: string;
  uid?: string;
  labels?: Record<string, string>;
  image: string;
  logDirectory?: string;
  /** The runtime handler; the daemon's default where absent. */
  handler?: string;
  linux?: Init<LinuxPodSandboxConfig>;
}

/** Makes a pod through the CRI itself, which costs less than crictl where the machine is slow. */
export async function runPod(client: Client, request: PodRequest): Promise<TestPod> {
  const { name, uid = name, labels = {}, image, logDirectory = "", handler: runtimeHandler = "", linux = {} } = request;
  const config = { metadata: { name, namespace: "default", uid, attempt: 0 }, labels, logDirectory, linux };
  const { podSandboxId: id } = await client.runtime("RunPodSandbox", { config, runtimeHandler });
  const pod: TestPod = {
    id,
    async create(container, command, containerLinux = {}) {
      const wanted = {
        metadata: { name: container, attempt: 0 },
        image: { image },
        command,
        logPath: logDirectory && `${container}.log`,
        linux: containerLinux,
      };
      const made = { podSandboxId: id, config: wanted, sandboxConfig: config };
      return (await client.runtime("CreateContainer", made)).containerId;
    },
    async run(container, command, containerLinux) {
      const containerId = await pod.create(container, command, containerLinux);
      await client.runtime("StartContainer", { containerId });
      return containerId;
    },
  };
  return pod;
}

/** The output of a shell command in a container. Throws where it fails. */
export async function shell(client: Client, containerId: string, script: string): Promise<string> {
  const request = { containerId, cmd: ["sh", "-c", script], timeout: 60n };
  const { stdout, stderr, exitCode } = await client.runtime("ExecSync", request);
  if (exitCode !== 0) throw new Error(`${script}: ${exitCode}: ${stderr.toString()}`);
  return stdout.toString().trim();
}

/** Waits until a container has ended; its status then. */
export async function ended(client: Client, containerId: string) {
  const until = Date.now() + 60_000;
  for (;;) {
    const { status } = await client.runtime("ContainerStatus", { containerId });
    if (status!.finishedAt > 0n) return status!;
    if (Date.now() > until) throw new Error(`container ${containerId} does not end`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
