import { describe, expect, test } from "@jest/globals";
import { specDevices } from "./devices";
import { deviceNumber } from "./host-devices";

const one = (hostPath: string, permissions = "rw", containerPath = "/dev/x") =>
  specDevices({ requested: [{ hostPath, containerPath, permissions }], all: false });

describe("specDevices()", () => {
  test("denies all by default", async () => {
    expect(await specDevices({ requested: [], all: false })).toEqual({
      devices: [],
      rules: [{ allow: false, access: "rwm" }],
    });
  });

  test("passes a device with its rule", async () => {
    const { devices, rules } = await one("/dev/null");
    expect(devices).toEqual([expect.objectContaining({ path: "/dev/x", type: "c", major: 1, minor: 3 })]);
    expect(rules[1]).toEqual({ allow: true, type: "c", major: 1, minor: 3, access: "rw" });
  });

  test("gives a privileged container the host's devices and all access", async () => {
    const { devices, rules } = await specDevices({ requested: [], all: true });
    const paths = devices.map((device) => device.path);
    expect(paths).toContain("/dev/null");
    expect(paths).not.toContain("/dev/ptmx");
    expect(paths.filter((path) => path.startsWith("/dev/pts/"))).toEqual([]);
    expect(rules).toEqual([{ allow: true, access: "rwm" }]);
  });

  test.each([
    ["/dev/none", "rw"],
    ["/etc/hostname", "rw"],
    ["dev/null", "rw"],
    ["/dev/null", "rx"],
    ["/dev/null", "rr"],
  ])("refuses %s with %s", async (hostPath, permissions) => {
    await expect(one(hostPath, permissions)).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});

describe("deviceNumber()", () => {
  test("splits large numbers as makedev(3) joins them", () => {
    expect(deviceNumber(0x103n)).toEqual({ major: 1, minor: 3 });
    expect(deviceNumber(0x0000_1000_1234_5678n)).toEqual({ major: 0x1000 | 0x456, minor: 0x12378 });
  });
});
