import type { CgroupDeviceIo } from "../../sys/cgroup-io";
import { ifKnown, type MetricFamily, wholeSeconds } from "./family";

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

const ofDevice = (
  name: string,
  help: string,
  pick: (io: NamedDeviceIo) => bigint | undefined,
  type: Family["type"] = "counter",
): Family => ({
  name,
  help,
  type,
  labels: ["device"],
  read: ({ io }) => io.flatMap((each) => ifKnown(pick(each)).map(({ value }) => ({ value, labels: [each.device] }))),
});
const secondsOfNs = (ns: bigint | undefined) => (ns === undefined ? undefined : wholeSeconds(ns));
const secondsOfUs = (us: bigint | undefined) => (us === undefined ? undefined : us / 1_000_000n);

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
  ofDevice("container_fs_reads_merged_total", "Cumulative count of reads merged.", ({ bfq }) => bfq?.readsMerged),
  ofDevice("container_fs_writes_merged_total", "Cumulative count of writes merged.", ({ bfq }) => bfq?.writesMerged),
  ofDevice(
    "container_fs_sector_reads_total",
    "Cumulative count of sector reads completed.",
    ({ bfq }) => bfq?.sectorsRead,
  ),
  ofDevice(
    "container_fs_sector_writes_total",
    "Cumulative count of sector writes completed.",
    ({ bfq }) => bfq?.sectorsWritten,
  ),
  ofDevice("container_fs_read_seconds_total", "Cumulative count of seconds spent reading.", ({ bfq }) =>
    secondsOfNs(bfq?.readNs),
  ),
  ofDevice("container_fs_write_seconds_total", "Cumulative count of seconds spent writing.", ({ bfq }) =>
    secondsOfNs(bfq?.writeNs),
  ),
  ofDevice("container_fs_io_time_seconds_total", "Cumulative count of seconds spent doing I/Os.", ({ bfq }) =>
    secondsOfNs(bfq?.serviceNs),
  ),
  ofDevice("container_fs_io_current", "Number of I/Os currently in progress.", ({ bfq }) => bfq?.queued, "gauge"),
  ofDevice("container_fs_io_cost_usage_seconds_total", "Cumulative IOCost usage in seconds.", ({ cost }) =>
    secondsOfUs(cost?.usageUs),
  ),
  ofDevice("container_fs_io_cost_wait_seconds_total", "Cumulative IOCost wait in seconds.", ({ cost }) =>
    secondsOfUs(cost?.waitUs),
  ),
  ofDevice("container_fs_io_cost_indebt_seconds_total", "Cumulative IOCost debt in seconds.", ({ cost }) =>
    secondsOfUs(cost?.indebtUs),
  ),
  ofDevice("container_fs_io_cost_indelay_seconds_total", "Cumulative IOCost delay in seconds.", ({ cost }) =>
    secondsOfUs(cost?.indelayUs),
  ),
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
