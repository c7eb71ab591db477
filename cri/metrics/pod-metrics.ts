import {
  type ContainerMetrics,
  type Init,
  type Metric,
  type PodSandboxMetrics,
  PodSandboxState,
} from "../../api/messages";
import { messageOf } from "../../api/errors";
import { readNetworkStats } from "../../sys/network-stats";
import { nowNs } from "../clock";
import { currentState } from "../sandbox/status";
import type { Services } from "../services";
import { podCgroup } from "../stats/pod-cgroup";
import type { Container } from "../store/container";
import type { Sandbox } from "../store/sandbox";
import { cgroupFamilies, containerFamilies } from "./families";
import { metricsOf } from "./family";
import { networkFamilies } from "./network-families";
import { measureFilesystem, type MeasuredFilesystem, readCgroup, readContainer } from "./readings";

/** The metrics of READY pods and of what runs in them. */
export async function podMetrics(services: Services): Promise<Init<PodSandboxMetrics>[]> {
  const filesystem = measureFilesystem(services.config.root);
  const all: Init<PodSandboxMetrics>[] = [];
  for (const sandbox of services.store.sandboxes.list()) {
    if (currentState(services, sandbox) !== PodSandboxState.SANDBOX_READY) continue;
    const running = services.store.containersOf(sandbox.id).filter((container) => container.isRunning);
    all.push({
      podSandboxId: sandbox.id,
      metrics: ofSandbox(services, sandbox),
      containerMetrics: await Promise.all(
        running.map((container) => ofContainer(services, { sandbox, container, filesystem })),
      ),
    });
    // everything is read synchronously: others get their turn between pods
    await new Promise(setImmediate);
  }
  return all;
}

function ofSandbox(services: Services, sandbox: Sandbox): Init<Metric>[] {
  const timestamp = nowNs();
  const { name = "", namespace = "" } = sandbox.config.metadata ?? {};
  const cgroup = podCgroup(services, sandbox);
  // as cAdvisor has it: what is the pod's and no container's has neither container nor image
  const subject = { id: cgroup?.[""] ?? sandbox.id, name: sandbox.id, image: "", pod: name, namespace, container: "" };
  return [
    ...metricsOf(networkFamilies, { subject, timestamp, reading: { interfaces: interfacesOf(services, sandbox) } }),
    ...(cgroup ? metricsOf(cgroupFamilies, { subject, timestamp, reading: readCgroup(services.cgroups, cgroup) }) : []),
  ];
}

function interfacesOf({ namespaces, log }: Services, { id, record }: Sandbox) {
  if (!record.namespaces.net) return [];
  try {
    return readNetworkStats(namespaces, record.namespaces.net);
  } catch (error) {
    log.warn("a pod's network can't be measured", { sandbox: id, error: messageOf(error) });
    return [];
  }
}

interface Measured {
  sandbox: Sandbox;
  container: Container;
  filesystem: MeasuredFilesystem | undefined;
}

async function ofContainer(
  services: Services,
  { sandbox, container, filesystem }: Measured,
): Promise<Init<ContainerMetrics>> {
  const { name = "", namespace = "" } = sandbox.config.metadata ?? {};
  const { id, record, config } = container;
  const subject = {
    id: record.cgroups["memory"] ?? record.cgroups[""] ?? id,
    name: id,
    image: record.image.name,
    pod: name,
    namespace,
    container: config.metadata?.name ?? "",
  };
  const reading = await readContainer(services, container, filesystem);
  return { containerId: id, metrics: metricsOf(containerFamilies, { subject, reading, timestamp: reading.nowNs }) };
}
