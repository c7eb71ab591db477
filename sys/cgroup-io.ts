import { readCgroupFile } from "./cgroup-files";
import type { CgroupPaths, Cgroups } from "./cgroups";

/** What went to and from one block device since the cgroup was made. */
export interface CgroupDeviceIo {
  major: number;
  minor: number;
  readBytes: bigint;
  writtenBytes: bigint;
  reads: bigint;
  writes: bigint;
  /** By the BFQ scheduler, where the kernel is built to keep them (version 1, CONFIG_BFQ_CGROUP_DEBUG). */
  bfq?: BfqIo;
  /** By the controller that shares devices by their cost (version 2, iocost), where it is on. */
  cost?: IoCost;
}

export interface BfqIo {
  readsMerged: bigint;
  writesMerged: bigint;
  /** Of 512 bytes. */
  sectorsRead: bigint;
  sectorsWritten: bigint;
  readNs: bigint;
  writeNs: bigint;
  /** Of reads, writes and all else. */
  serviceNs: bigint;
  /** Requests under way. */
  queued: bigint;
}

/** µs of the device's time. */
export interface IoCost {
  usageUs: bigint;
  waitUs: bigint;
  indebtUs: bigint;
  indelayUs: bigint;
}

/** A cgroup's block I/O and that of those in it (blkio-controller.rst; cgroup-v2.rst, io.stat); empty where none. */
export function readCgroupIo(cgroups: Cgroups, paths: CgroupPaths): CgroupDeviceIo[] {
  return cgroups.version === "v2" ? readV2(cgroups.ofPaths("", paths)) : readV1(cgroups.ofPaths("blkio", paths));
}

function readV1(directory: string | undefined): CgroupDeviceIo[] {
  const devices = new Map<string, CgroupDeviceIo>();
  /** Lines "8:0 Read 100"; those of a file without operations are all for "Total". */
  const read = (file: string, take: (io: CgroupDeviceIo, operation: string, count: bigint) => void) => {
    for (const line of (readCgroupFile(directory, file) ?? "").split("\n")) {
      const found = /^(\d+:\d+)(?: (\w+))? (\d+)$/.exec(line);
      if (!found) continue;
      const [, device = "", operation = "Total", count = ""] = found;
      const io = devices.get(device) ?? noIo(device);
      devices.set(device, io);
      take(io, operation, BigInt(count));
    }
  };
  read("blkio.throttle.io_service_bytes_recursive", (io, operation, count) => {
    if (operation === "Read") io.readBytes = count;
    else if (operation === "Write") io.writtenBytes = count;
  });
  read("blkio.throttle.io_serviced_recursive", (io, operation, count) => {
    if (operation === "Read") io.reads = count;
    else if (operation === "Write") io.writes = count;
  });
  for (const [file, fields] of bfqFiles) {
    read(`blkio.bfq.${file}_recursive`, (io, operation, count) => {
      const field = fields[operation];
      if (!field) return;
      io.bfq ??= noBfq();
      io.bfq[field] = count;
    });
  }
  return [...devices.values()];
}

const bfqFiles: [file: string, fields: Record<string, keyof BfqIo>][] = [
  ["io_merged", { Read: "readsMerged", Write: "writesMerged" }],
  ["sectors", { Read: "sectorsRead", Write: "sectorsWritten" }],
  ["io_service_time", { Read: "readNs", Write: "writeNs", Total: "serviceNs" }],
  ["io_queued", { Total: "queued" }],
];

const noBfq = (): BfqIo => ({
  ...{ readsMerged: 0n, writesMerged: 0n, sectorsRead: 0n, sectorsWritten: 0n },
  ...{ readNs: 0n, writeNs: 0n, serviceNs: 0n, queued: 0n },
});

function readV2(directory: string | undefined): CgroupDeviceIo[] {
  return (readCgroupFile(directory, "io.stat") ?? "")
    .split("\n")
    .filter((line) => /^\d+:\d+ /.test(line))
    .map((line) => {
      const [device = "", ...pairs] = line.split(" ");
      const counts = new Map(pairs.map((pair) => pair.split("=") as [string, string]));
      const of = (key: string) => BigInt(counts.get(key) ?? 0);
      return {
        ...noIo(device),
        readBytes: of("rbytes"),
        writtenBytes: of("wbytes"),
        reads: of("rios"),
        writes: of("wios"),
        ...(counts.has("cost.usage") && {
          cost: {
            usageUs: of("cost.usage"),
            waitUs: of("cost.wait"),
            indebtUs: of("cost.indebt"),
            indelayUs: of("cost.indelay"),
          },
        }),
      };
    });
}

function noIo(device: string): CgroupDeviceIo {
  const [major = 0, minor = 0] = device.split(":").map(Number);
  return { major, minor, readBytes: 0n, writtenBytes: 0n, reads: 0n, writes: 0n };
}
