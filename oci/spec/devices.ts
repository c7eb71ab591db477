import fs from "node:fs/promises";
import type { Device } from "../../api/messages";
import { errnoOf } from "../../sys/libc";
import type { SpecDevice, SpecDeviceRule } from "../runtime-spec";
import { checkAbsolutePath, checkCount, invalid, quote } from "./check-text";
import { deviceAt, devicesBelow } from "./host-devices";

export interface DevicesInput {
  requested: Device[];
  /** All that the host has, and leave to use any: for a privileged container. */
  all: boolean;
  /** Whom the requested ones belong to within, instead of those whom they belong to on the host. */
  owner?: { uid?: number; gid?: number };
}

export interface DevicesResult {
  devices: SpecDevice[];
  /** The device cgroup's rules; the runtime adds those for /dev/null and its like (config-linux.md, default devices). */
  rules: SpecDeviceRule[];
}

/**
 * The device nodes of a container: those asked for, a directory standing for all below it, and every one of the host's
 * where all are wanted. Throws InvalidArgument for what is no device.
 */
export async function specDevices({ requested, all, owner = {} }: DevicesInput): Promise<DevicesResult> {
  checkCount("devices", requested, 4096);
  const devices = new Map<string, SpecDevice>();
  const rules: SpecDeviceRule[] = [{ allow: all, access: "rwm" }];
  if (all) for (const device of await devicesBelow("/dev")) devices.set(device.path, device);
  for (const request of requested) {
    const access = accessOf(request.permissions);
    for (const device of await devicesOf(request)) {
      devices.set(device.path, { ...device, uid: owner.uid ?? device.uid, gid: owner.gid ?? device.gid });
      const { type, major, minor } = device;
      if (!all) rules.push({ allow: true, type: type === "b" ? "b" : "c", major, minor, access });
    }
  }
  return { devices: [...devices.values()], rules };
}

function accessOf(permissions: string): string {
  if (!/^[rwm]{0,3}$/.test(permissions) || new Set(permissions).size !== permissions.length) {
    throw invalid(`the device permissions ${quote(permissions)} are not a set of r, w and m`);
  }
  return permissions || "rwm";
}

async function devicesOf({ hostPath, containerPath }: Device): Promise<SpecDevice[]> {
  checkAbsolutePath("the host path of a device", hostPath);
  const inside = containerPath === "" ? hostPath : checkAbsolutePath("the container path of a device", containerPath);
  try {
    const real = await fs.realpath(hostPath);
    if ((await fs.stat(real)).isDirectory()) return await devicesBelow(real, inside);
    const device = await deviceAt(real, inside);
    if (device) return [device];
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    throw invalid(`the device ${quote(hostPath)}: ${errnoOf(error)}`);
  }
  throw invalid(`${quote(hostPath)} is not a device`);
}
