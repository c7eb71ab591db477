import {
  type ContainerStats,
  type Init,
  type LinuxPodSandboxStats,
  type NetworkInterfaceUsage,
  type NetworkUsage,
  type PodSandboxStats,
  PodSandboxState,
} from "../../api/messages";
import { messageOf } from "../../api/errors";
import { readCgroupMemory } from "../../sys/cgroup-memory";
import { countCgroupProcesses } from "../../sys/cgroup-pids";
import { readPressure } from "../../sys/cgroup-pressure";
import { type InterfaceStats, readNetworkStats } from "../../sys/network-stats";
import type { CgroupPaths } from "../../sys/cgroups";
import { nowNs } from "../clock";
import { currentState } from "../sandbox/status";
import type { Services } from "../services";
import type { Sandbox } from "../store/sandbox";
import { containerStats } from "./container-stats";
import type { CpuUse } from "./cpu-sampler";
import { podCgroup } from "./pod-cgroup";
import { sumCpu, sumMemory } from "./sum-usage";
import { cpuUsage, ioUsage, memoryUsage } from "./usage-messages";

/** The interface that the CRI's pods have first, as containerd and CRI-O name it. */
const defaultInterfaceName = "eth0";
/** Between so many pods others get their turn: their files are read synchronously. */
const turnSize = 16;

/**
 * Use of a pod: of its own cgroup where it has one, else the sum of its containers. Of one that is not READY there is
 * only what its containers have written.
 */
export async function sandboxStats(
  services: Services,
  sandboxes: readonly Sandbox[],
): Promise<Init<PodSandboxStats>[]> {
  const ready = new Set(sandboxes.filter((each) => currentState(services, each) === PodSandboxState.SANDBOX_READY));
  const own = new Map([...ready].map((sandbox) => [sandbox.id, podCgroup(services, sandbox)]));
  const subjects = [...ready].flatMap(({ id }) => {
    const cgroups = own.get(id);
    return cgroups ? [{ id, cgroups }] : [];
  });
  const inPods = sandboxes.map(({ id }) => services.store.containersOf(id));
  // side by side, so that what has never been asked for waits once
  const [cpu, flat] = await Promise.all([services.stats.cpu.use(subjects), containerStats(services, inPods.flat())]);
  const stats: Init<PodSandboxStats>[] = [];
  for (const [index, sandbox] of sandboxes.entries()) {
    if (index > 0 && index % turnSize === 0) await new Promise(setImmediate);
    const containers = flat.splice(0, inPods[index]!.length);
    const { id, config } = sandbox;
    const { metadata, labels, annotations } = config;
    const use = ready.has(sandbox)
      ? useOf(services, { sandbox, cgroup: own.get(id), cpu: cpu.get(id), containers })
      : {};
    stats.push({ attributes: { id, metadata, labels, annotations }, linux: { ...use, containers } });
  }
  return stats;
}

interface ReadyPod {
  sandbox: Sandbox;
  /** Undefined where it has none of its own. */
  cgroup: CgroupPaths | undefined;
  /** Of its own cgroup. */
  cpu: CpuUse | undefined;
  containers: Init<ContainerStats>[];
}

const useOf = (services: Services, pod: ReadyPod): Init<Partial<LinuxPodSandboxStats>> => ({
  ...(pod.cgroup ? fromCgroup(services, pod.cgroup, pod.cpu) : fromContainers(services, pod.sandbox, pod.containers)),
  network: networkUsage(services, pod.sandbox),
});

function fromCgroup(
  { cgroups }: Services,
  paths: CgroupPaths,
  cpu: CpuUse | undefined,
): Init<Partial<LinuxPodSandboxStats>> {
  const timestamp = nowNs();
  const memory = readCgroupMemory(cgroups, paths);
  const pressure = (kind: "cpu" | "memory" | "io") => readPressure(cgroups, paths, kind);
  return {
    cpu: cpu ? cpuUsage(cpu, pressure("cpu")) : null,
    memory: memory ? memoryUsage({ timestamp, use: memory, pressure: pressure("memory") }) : null,
    process: { timestamp, processCount: { value: BigInt(countCgroupProcesses(cgroups, paths)) } },
    io: ioUsage(timestamp, pressure("io")),
  };
}

function fromContainers(
  { cgroups, store }: Services,
  sandbox: Sandbox,
  containers: Init<ContainerStats>[],
): Init<Partial<LinuxPodSandboxStats>> {
  const timestamp = nowNs();
  const running = store.containersOf(sandbox.id).filter((container) => container.isRunning);
  const count = running.reduce((sum, { record }) => sum + countCgroupProcesses(cgroups, record.cgroups), 0);
  return {
    cpu: sumCpu(containers, timestamp),
    memory: sumMemory(containers, timestamp),
    process: { timestamp, processCount: { value: BigInt(count) } },
  };
}

/** Null for a pod in the host's network, whose interfaces are not its own. */
function networkUsage(services: Services, { id, record }: Sandbox): Init<NetworkUsage> | null {
  if (!record.namespaces.net) return null;
  try {
    const interfaces = readNetworkStats(services.namespaces, record.namespaces.net).map(interfaceUsage);
    const first = interfaces.find(({ name }) => name === defaultInterfaceName) ?? interfaces[0] ?? null;
    return { timestamp: nowNs(), defaultInterface: first, interfaces };
  } catch (error) {
    services.log.warn("a pod's network can't be measured", { sandbox: id, error: messageOf(error) });
    return null;
  }
}

const interfaceUsage = (each: InterfaceStats): Init<NetworkInterfaceUsage> => ({
  name: each.name,
  rxBytes: { value: each.rxBytes },
  rxErrors: { value: each.rxErrors },
  txBytes: { value: each.txBytes },
  txErrors: { value: each.txErrors },
});
