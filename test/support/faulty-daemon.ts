import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ContainerState, type Init, type PodSandboxConfig, NamespaceMode } from "../../api/messages";
import { Client } from "../../cri/client/client";
import type { FaultKind, FaultPoint } from "../../sys/fault-points";
import { type TestDaemon, testDaemon } from "./daemon";
import { busyboxImage } from "./images";
import { podCalls } from "./pods";
import { type TestRegistry, testRegistry } from "./registry";
import { uniqueId } from "./unique";
import { changes, type WhatThereIs, whatThereIs } from "./what-there-is";

/** Says each number once, in order, until it is ended. */
export const counting = ["sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done"];

/** What is wrong in the log of one that counts; empty where nothing is. */
export function linesLost(log: string): string[] {
  const lines = log.split("\n").slice(0, -1);
  const wrong = lines.findIndex((line, index) => !line.endsWith(` F ${index}`));
  return wrong < 0 ? [] : [`line ${wrong} is: ${lines[wrong]}`];
}

/**
 * A daemon in which steps can be made to fail, with a registry and one pod that is nobody's concern: its container
 * counts into its log, and must neither end nor lose a line whatever happens to the daemon.
 */
export class FaultyDaemon {
  readonly cgroup = `faults-${uniqueId()}`;
  client!: Client;
  daemon!: TestDaemon;
  registry!: TestRegistry;
  image = "";
  bystander = { podId: "", containerId: "", pid: 0, log: "" };
  readonly pods = podCalls(() => this);

  async start(): Promise<void> {
    this.registry = await testRegistry();
    this.image = await this.registry.push("test/busybox", busyboxImage());
    this.daemon = testDaemon({ registry: this.registry.url, faults: true });
    await this.daemon.start();
    this.client = new Client(this.daemon.socket);
    await this.client.image("PullImage", { image: { image: this.image } });
    const { runPod, runContainer, processesOf, statusOf } = this.pods;
    const podId = await runPod(this.podConfig());
    const containerId = await runContainer(podId, { command: counting });
    const { pid } = await processesOf(containerId);
    this.bystander = { podId, containerId, pid, log: (await statusOf(containerId)).logPath };
  }

  async remove(): Promise<void> {
    // with the pods go their parent cgroups, which nobody else knows of
    await this.pods.removePods().catch(() => {});
    this.client?.close();
    await this.daemon?.remove();
    await this.registry?.stop();
  }

  /** All pods have a holder of their PID namespace, and lie in a cgroup of this daemon's own. */
  podConfig(over: Init<PodSandboxConfig> = {}): Init<PodSandboxConfig> {
    const securityContext = { namespaceOptions: { pid: NamespaceMode.POD } };
    const config = this.pods.podConfig(over);
    return { ...config, linux: { cgroupParent: `/${this.cgroup}/${config.metadata!.uid}`, securityContext } };
  }

  look(): WhatThereIs {
    const found = whatThereIs(this.daemon, this.cgroup);
    // what the bystander waits by comes and goes
    return { ...found, processes: found.processes.filter((each) => !each.endsWith(" sleep 0.05")) };
  }

  changes(before: WhatThereIs): Promise<string[]> {
    return changes(() => this.look(), before);
  }

  ask(point: FaultPoint, kind: FaultKind): void {
    this.forgive();
    fs.writeFileSync(this.daemon.faultsFile!, `${point} ${kind}\n`);
  }

  /** Nothing is asked for any more; what hangs goes on. */
  forgive(): void {
    for (const file of [this.daemon.faultsFile!, `${this.daemon.faultsFile}.reached`]) fs.rmSync(file, { force: true });
  }

  /** Waits until the point that was asked for has been reached; false where it is not within some seconds. */
  async reached(): Promise<boolean> {
    for (let waitedMs = 0; waitedMs < 8000; waitedMs += 5) {
      if (fs.existsSync(`${this.daemon.faultsFile}.reached`)) return true;
      await sleep(5);
    }
    return false;
  }

  /** After its death. */
  async restart(): Promise<void> {
    await this.daemon.died();
    this.client.close();
    await this.daemon.start();
    this.client = new Client(this.daemon.socket);
  }

  /** What is wrong with the pod that nothing was to happen to; empty where nothing is. */
  async harmToBystander(): Promise<string[]> {
    const { containerId, pid, log } = this.bystander;
    const { state } = await this.pods.statusOf(containerId);
    const process = await this.pods.processesOf(containerId);
    return [
      ...(state === ContainerState.CONTAINER_RUNNING ? [] : [`its state is ${state}`]),
      ...(process.pid === pid ? [] : [`it is another process: ${process.pid}, not ${pid}`]),
      ...linesLost(fs.readFileSync(log, "utf8")),
    ];
  }
}
