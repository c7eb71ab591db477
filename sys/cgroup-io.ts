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
}

/** A cgroup's block I/O and that of those in it (blkio-controller.rst; cgroup-v2.rst, io.stat); empty where none. */
export function readCgroupIo(cgroups: Cgroups, paths: CgroupPaths): CgroupDeviceIo[] {
  return cgroups.version === "v2" ? readV2(cgroups.ofPaths("", paths)) : readV1(cgroups.ofPaths("blkio", paths));
}

function readV1(directory: string | undefined): CgroupDeviceIo[] {
  const devices = new Map<string, CgroupDeviceIo>();
  const add = (file: string, readKey: "readBytes" | "reads", writeKey: "writtenBytes" | "writes") => {
    for (const line of (readCgroupFile(directory, file) ?? "").split("\n")) {
      const [device = "", operation, count = ""] = line.split(" ");
      if (!/^\d+:\d+$/.test(device) || !/^\d+$/.test(count)) continue;
      const io = devices.get(device) ?? noIo(device);
      devices.set(device, io);
      if (operation === "Read") io[readKey] = BigInt(count);
      else if (operation === "Write") io[writeKey] = BigInt(count);
    }
  };
  add("blkio.throttle.io_service_bytes_recursive", "readBytes", "writtenBytes");
  add("blkio.throttle.io_serviced_recursive", "reads", "writes");
  return [...devices.values()];
}

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
      };
    });
}

function noIo(device: string): CgroupDeviceIo {
  const [major = 0, minor = 0] = device.split(":").map(Number);
  return { major, minor, readBytes: 0n, writtenBytes: 0n, reads: 0n, writes: 0n };
}
