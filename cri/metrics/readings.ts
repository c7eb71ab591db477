import fs from "node:fs";
import { blockDeviceName, deviceUnder } from "../../sys/block-device";
import { readCgroupCpu } from "../../sys/cgroup-cpu";
import { readCgroupHugepages } from "../../sys/cgroup-hugepages";
import { readCgroupIo } from "../../sys/cgroup-io";
import { readCgroupMemoryDetails } from "../../sys/cgroup-memory";
import { readCgroupTasks } from "../../sys/cgroup-pids";
import { readPressure } from "../../sys/cgroup-pressure";
import type { CgroupPaths, Cgroups } from "../../sys/cgroups";
import { countOpenFiles, openFilesLimit } from "../../sys/open-files";
import { countTaskStates } from "../../sys/task-states";
import { nowNs } from "../clock";
import type { Services } from "../services";
import type { Container } from "../store/container";
import type { FilesystemReading } from "./filesystem-families";

export type MeasuredFilesystem = Omit<FilesystemReading, "usageBytes">;

/** The file system that holds `directory`; undefined where it can't be read. */
export function measureFilesystem(directory: string): MeasuredFilesystem | undefined {
  try {
    const { blocks, bsize, files, ffree } = fs.statfsSync(directory, { bigint: true });
    return {
      device: deviceUnder(directory),
      limitBytes: blocks * bsize,
      inodesTotal: files,
      inodesFree: ffree,
    };
  } catch {
    return undefined;
  }
}

/** What cgroupFamilies want. */
export const readCgroup = (cgroups: Cgroups, paths: CgroupPaths) => ({
  cpu: readCgroupCpu(cgroups, paths),
  memory: readCgroupMemoryDetails(cgroups, paths),
  hugepages: readCgroupHugepages(cgroups, paths),
  pressure: {
    cpu: readPressure(cgroups, paths, "cpu"),
    memory: readPressure(cgroups, paths, "memory"),
    io: readPressure(cgroups, paths, "io"),
  },
});

export type CgroupReading = ReturnType<typeof readCgroup>;
export type ContainerReading = Awaited<ReturnType<typeof readContainer>>;

/** What containerFamilies want. */
export async function readContainer(
  services: Services,
  container: Container,
  filesystem: MeasuredFilesystem | undefined,
) {
  const { cgroups } = services;
  const { record } = container;
  const written = await services.stats.writableLayers.usage(container);
  const tasks = readCgroupTasks(cgroups, record.cgroups);
  const states = countTaskStates(tasks?.pids ?? []);
  return {
    ...readCgroup(cgroups, record.cgroups),
    io: readCgroupIo(cgroups, record.cgroups).map((io) => ({ ...io, device: blockDeviceName(io.major, io.minor) })),
    filesystem: filesystem && { ...filesystem, usageBytes: written?.usedBytes?.value },
    tasks,
    states,
    load: services.stats.load.add(container, states),
    open: countOpenFiles(tasks?.pids ?? []),
    openFilesLimit: record.process && openFilesLimit(record.process.pid),
    resources: container.resources,
    createdAtNs: BigInt(record.createdAtNs),
    startedAtNs: BigInt(record.startedAtNs ?? 0),
    nowNs: nowNs(),
  };
}
