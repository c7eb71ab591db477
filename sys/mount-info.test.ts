import { detectCgroups } from "./cgroups";
import { mountOf, parseMountInfoLine } from "./mount-info";

const parse = (lines: string[]) => lines.map(parseMountInfoLine);

test("parseMountInfoLine() reads octal escapes and optional fields", () => {
  expect(
    parseMountInfoLine("36 35 98:0 /a\\040b /mnt/x\\011y rw,noatime master:1 shared:2 - ext4 /dev/root rw,errors=x"),
  ).toEqual({
    root: "/a b",
    mountPoint: "/mnt/x\ty",
    options: ["rw", "noatime"],
    propagation: ["master:1", "shared:2"],
    type: "ext4",
    source: "/dev/root",
    superOptions: ["rw", "errors=x"],
  });
});

test("mountOf() is the innermost mount, the later of two on one point", () => {
  const mounts = parse([
    "1 0 8:1 / / rw - ext4 root rw",
    "2 1 8:1 / /a rw - tmpfs one rw",
    "3 1 8:1 / /a rw - tmpfs two rw",
    "4 1 8:1 / /ab rw - tmpfs three rw",
  ]);
  expect(mountOf("/a/x", mounts)?.source).toBe("two");
  expect(mountOf("/abc", mounts)?.source).toBe("root");
});

test("detectCgroups() tells the three layouts apart", () => {
  const v1 = "5 1 0:1 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct";
  const v2 = "6 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
  const side = "7 1 0:1 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
  expect(detectCgroups(parse([v1])).version).toBe("v1");
  expect(detectCgroups(parse([v2]))).toMatchObject({ version: "v2", unified: "/sys/fs/cgroup" });
  const hybrid = detectCgroups(parse([v1, side]));
  expect(hybrid.version).toBe("hybrid");
  expect(hybrid.controllers.get("cpuacct")).toBe("/sys/fs/cgroup/cpu,cpuacct");
});
