import type { CgroupDeviceIo } from "../../sys/cgroup-io";
import type { MetricFamily } from "./family";

/** The file system that a container's writable layer is on, and what the layer takes of it. */
export interface FilesystemReading {
  device: string;
  limitBytes: bigint;
  inodesTotal: bigint;
  inodesFree: bigint;
  /** Undefined where it has not been counted yet. */
  usageBytes: bigint | undefined;
}

export interface NamedDeviceIo extends CgroupDeviceIo {
  device: string;
}

interface Reading {
  filesystem: FilesystemReading | undefined;
  io: NamedDeviceIo[];
}
type Family = MetricFamily<Reading>;

const ofFilesystem = (
  name: string,
  help: string,
  pick: (filesystem: FilesystemReading) => bigint | undefined,
): Family => ({
  name,
  help,
  type: "gauge",
  labels: ["device"],
  read: ({ filesystem }) => {
    const value = filesystem && pick(filesystem);
    return value === undefined ? [] : [{ value, labels: [filesystem!.device] }];
  },
});

const ofDevice = (name: string, help: string, pick: (io: NamedDeviceIo) => bigint): Family => ({
  name,
  help,
  type: "counter",
  labels: ["device"],
  read: ({ io }) => io.map((each) => ({ value: pick(each), labels: [each.device] })),
});

export const filesystemFamilies: Family[] = [
  ofFilesystem("container_fs_inodes_free", "Number of available Inodes.", ({ inodesFree }) => inodesFree),
  ofFilesystem("container_fs_inodes_total", "Number of Inodes.", ({ inodesTotal }) => inodesTotal),
  ofFilesystem(
    "container_fs_limit_bytes",
    "Number of bytes that can be consumed by the container on this filesystem.",
    ({ limitBytes }) => limitBytes,
  ),
  ofFilesystem(
    "container_fs_usage_bytes",
    "Number of bytes that are consumed by the container on this filesystem.",
    ({ usageBytes }) => usageBytes,
  ),
  ofDevice("container_fs_reads_bytes_total", "Cumulative count of bytes read.", ({ readBytes }) => readBytes),
  ofDevice("container_fs_reads_total", "Cumulative count of reads completed.", ({ reads }) => reads),
  ofDevice("container_fs_writes_bytes_total", "Cumulative count of bytes written.", ({ writtenBytes }) => writtenBytes),
  ofDevice("container_fs_writes_total", "Cumulative count of writes completed.", ({ writes }) => writes),
  {
    name: "container_blkio_device_usage_total",
    help: "Blkio Device bytes usage.",
    type: "counter",
    labels: ["device", "major", "minor", "operation"],
    read: ({ io }) =>
      io.flatMap(({ device, major, minor, readBytes, writtenBytes }) => [
        { value: readBytes, labels: [device, String(major), String(minor), "Read"] },
        { value: writtenBytes, labels: [device, String(major), String(minor), "Write"] },
      ]),
  },
];
