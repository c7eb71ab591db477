import type { ContainerStats, Init } from "../../api/messages";
import { readCgroupMemory } from "../../sys/cgroup-memory";
import { readPressure } from "../../sys/cgroup-pressure";
import { nowNs } from "../clock";
import type { Services } from "../services";
import type { Container } from "../store/container";
import type { CpuUse } from "./cpu-sampler";
import { cpuUsage, ioUsage, memoryUsage, swapUsage } from "./usage-messages";

/** Between so many containers others get their turn: their files are read synchronously, some 8 each. */
const turnSize = 16;

/**
 * One message a container. Of one that does not run there is only what it has written, as containerd has it; the
 * kubelet looks at CPU and memory of running ones alone.
 */
export async function containerStats(
  services: Services,
  containers: readonly Container[],
): Promise<Init<ContainerStats>[]> {
  const running = containers.filter((container) => container.isRunning);
  const cpu = await services.stats.cpu.use(running.map(({ id, record }) => ({ id, cgroups: record.cgroups })));
  const stats: Init<ContainerStats>[] = [];
  for (let first = 0; first < containers.length; first += turnSize) {
    if (first > 0) await new Promise(setImmediate);
    const turn = containers.slice(first, first + turnSize);
    stats.push(...(await Promise.all(turn.map((each) => statsOf(services, each, cpu.get(each.id))))));
  }
  return stats;
}

async function statsOf(
  services: Services,
  container: Container,
  cpu: CpuUse | undefined,
): Promise<Init<ContainerStats>> {
  const { id, config } = container;
  const { metadata, labels, annotations } = config;
  const written = await services.stats.writableLayers.usage(container);
  return {
    attributes: { id, metadata, labels, annotations },
    ...(container.isRunning ? cgroupStats(services, container, cpu) : {}),
    writableLayer: written,
  };
}

function cgroupStats(
  { cgroups }: Services,
  { record }: Container,
  cpu: CpuUse | undefined,
): Init<Omit<ContainerStats, "attributes" | "writableLayer">> {
  const timestamp = nowNs();
  const memory = readCgroupMemory(cgroups, record.cgroups);
  const read = memory && { timestamp, use: memory, pressure: readPressure(cgroups, record.cgroups, "memory") };
  return {
    cpu: cpu ? cpuUsage(cpu, readPressure(cgroups, record.cgroups, "cpu")) : null,
    memory: read ? memoryUsage(read) : null,
    swap: read ? swapUsage(read) : null,
    io: ioUsage(timestamp, readPressure(cgroups, record.cgroups, "io")),
  };
}
