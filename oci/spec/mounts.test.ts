import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type ContainerConfig, type Init, MountPropagation } from "../../api/messages";
import type { MountEntry } from "../../sys/mount-info";
import { listXattrs } from "../../sys/xattr";
import { specInput } from "./input.fixture";
import type { SpecInput } from "./input";
import { specMounts } from "./mounts";

let base = "";
let root = "";
beforeEach(() => {
  base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "berth-mounts-")));
  root = path.join(base, "rootfs");
  fs.mkdirSync(root);
});
afterEach(() => fs.rmSync(base, { recursive: true }));

const entry = (mountPoint: string, propagation: string[]): MountEntry => ({
  root: "/",
  mountPoint,
  options: ["rw"],
  propagation,
  type: "ext4",
  source: "x",
  superOptions: [],
});
const host = [entry("/", [])];

const mounts = async (config: Init<ContainerConfig>, over: Partial<SpecInput> = {}, hostMounts = host) =>
  specMounts(specInput(root, config, over), { readHostMounts: () => hostMounts });
const one = async (mount: Init<ContainerConfig["mounts"][number]>, hostMounts = host, over: Partial<SpecInput> = {}) =>
  (await mounts({ mounts: [{ containerPath: "/c", hostPath: base, ...mount }] }, over, hostMounts)).mounts.find(
    ({ destination }) => destination === "/c",
  )!;
const image = (volumes: string[]) => ({
  image: { id: "i", name: "n", config: { Volumes: Object.fromEntries(volumes.map((volume) => [volume, {}])) } },
});

describe("specMounts()", () => {
  test("has the standard mounts, sysfs and cgroups read-only unless privileged", async () => {
    const options = async (config: Init<ContainerConfig>, destination: string) =>
      (await mounts(config)).mounts.find((mount) => mount.destination === destination)!.options;
    const privileged = { linux: { securityContext: { privileged: true } } };
    expect(await options({}, "/sys")).toContain("ro");
    expect(await options({}, "/sys/fs/cgroup")).toContain("ro");
    expect(await options(privileged, "/sys")).toContain("rw");
    expect(await options(privileged, "/sys/fs/cgroup")).toContain("rw");
  });

  test("sorts by depth, and lets the request's mounts win", async () => {
    const config = {
      mounts: [
        { containerPath: "/a/b/c", hostPath: base },
        { containerPath: "/a", hostPath: base },
        { containerPath: "/etc/hosts/", hostPath: base },
        { containerPath: "/sys", hostPath: base },
      ],
    };
    const { sandbox } = specInput(root, {});
    const over = { sandbox: { ...sandbox, hostsPath: "/h", resolvConfPath: "/r", hostnamePath: "/n" } };
    const made = (await mounts(config, over)).mounts;
    expect(made.map((mount) => mount.destination)).toEqual([
      ...["/proc", "/dev", "/dev/pts", "/dev/mqueue", "/sys/fs/cgroup", "/a", "/sys"],
      ...["/etc/hostname", "/etc/resolv.conf", "/dev/shm", "/etc/hosts/", "/a/b/c"],
    ]);
    expect(made.filter((mount) => mount.source === "/h")).toEqual([]);
  });

  test("leaves all of /dev to the request that mounts it", async () => {
    const { mounts: made } = await mounts({ mounts: [{ containerPath: "/dev", hostPath: "/dev" }] });
    expect(made.filter((mount) => mount.destination.startsWith("/dev")).map((mount) => mount.source)).toEqual(["/dev"]);
  });

  test("makes a missing host path, and follows links", async () => {
    const missing = path.join(base, "x/y");
    expect((await one({ hostPath: missing })).source).toBe(missing);
    expect(fs.statSync(missing).isDirectory()).toBe(true);
    fs.symlinkSync(missing, path.join(base, "link"));
    expect((await one({ hostPath: path.join(base, "link") })).source).toBe(missing);
  });

  test("wants a shared source for propagation", async () => {
    expect((await one({ propagation: 0 })).options).toContain("rprivate");
    await expect(one({ propagation: 1 })).rejects.toThrow(/is mounted on "\/" but it is not a shared or slave mount/);
    await expect(one({ propagation: 2 })).rejects.toThrow(/not a shared mount/);
    await expect(one({ propagation: 2 }, [entry("/", ["master:1"])])).rejects.toThrow(/not a shared mount/);
    expect((await one({ propagation: 1 }, [entry("/", ["master:1"])])).options).toContain("rslave");
    const shared = [entry("/", ["shared:1"])];
    expect((await one({ propagation: 2 }, shared)).options).toContain("rshared");
    const { rootfsPropagation } = await mounts(
      { mounts: [1, 2].map((propagation) => ({ containerPath: `/${propagation}`, hostPath: base, propagation })) },
      {},
      shared,
    );
    expect(rootfsPropagation).toBe("rshared");
  });

  test("makes read-only recursive only where it can be", async () => {
    const wish = { recursiveReadOnly: true, readonly: true };
    await expect(one(wish)).rejects.toMatchObject({ code: "RROUnsupported" });
    const features = { ...specInput(root, {}).features, recursiveReadOnlyMounts: true };
    expect((await one(wish, host, { features })).options).toContain("rro");
    await expect(one({ recursiveReadOnly: true }, host, { features })).rejects.toThrow(/is not read-only/);
    const shared = [entry("/", ["shared:1"])];
    await expect(one({ ...wish, propagation: 1 }, shared, { features })).rejects.toThrow(/private propagation/);
  });

  test("takes mount options and ID mappings that it knows", async () => {
    expect((await one({ mountOptions: ["noexec", "nosuid"] })).options.slice(-2)).toEqual(["noexec", "nosuid"]);
    await expect(one({ mountOptions: ["suid"] })).rejects.toThrow(/unknown/);
    const mapping = [{ containerId: 0, hostId: 100000, length: 65536 }];
    const mapped = { uidMappings: mapping, gidMappings: mapping };
    const features = { ...specInput(root, {}).features, idMappedMounts: true };
    expect(await one(mapped, host, { features })).toMatchObject({
      uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
    });
    await expect(one({ uidMappings: mapping }, host, { features })).rejects.toThrow(/alone/);
    await expect(one(mapped)).rejects.toMatchObject({ code: "FailedPrecondition" });
  });

  test("leaves the mapping of an image to its layers, which have the pod's", async () => {
    const ids = [{ containerId: 0, hostId: 100000, length: 65536 }];
    const wish = { hostPath: "", readonly: true, image: { image: "x" }, uidMappings: ids, gidMappings: ids };
    const user = { path: "/us", uids: ids, gids: ids };
    const { sandbox } = specInput(root, {});
    const over = { imageMounts: new Map([[0, base]]), sandbox: { ...sandbox, namespaces: { user } } };
    expect(await one(wish, host, over)).not.toHaveProperty("uidMappings");
    await expect(one(wish, host, { ...over, sandbox })).rejects.toThrow(/not those of its pod/);
  });

  test("mounts an image read-only from where the caller has it", async () => {
    const wish = { hostPath: "", readonly: true, image: { image: "x" } };
    expect((await one(wish, host, { imageMounts: new Map([[0, base]]) })).source).toBe(base);
    await expect(one({ ...wish, readonly: false })).rejects.toThrow(/not read-only/);
    await expect(one(wish)).rejects.toMatchObject({ code: "FailedPrecondition" });
  });

  test.each(["", "c", "/", "/../", "/a\0", "/a\nb"])("refuses the container path %j", async (containerPath) => {
    await expect(one({ containerPath })).rejects.toMatchObject({ code: "InvalidArgument" });
  });

  test.each(["", "rel", "/a\0b"])("refuses the host path %j", async (hostPath) => {
    await expect(one({ hostPath })).rejects.toMatchObject({ code: "InvalidArgument" });
  });

  test("fills the image's volumes with what the image has there, and nothing of the host", async () => {
    fs.mkdirSync(path.join(root, "data/d"), { recursive: true });
    fs.chmodSync(path.join(root, "data"), 0o1777);
    fs.symlinkSync("/etc", path.join(root, "data/link"));
    fs.symlinkSync("/../../../../../etc", path.join(root, "host"));
    const made = (await mounts({}, image(["/data/", "host", "/new"]))).mounts.filter((mount) =>
      mount.source.startsWith(`${root}-volumes/`),
    );
    expect(made.map((mount) => mount.destination)).toEqual(["/data", "/host", "/new"]);
    const [data, hostLink, fresh] = made.map((mount) => mount.source) as [string, string, string];
    expect(fs.readdirSync(data).sort()).toEqual(["d", "link"]);
    expect(fs.readlinkSync(path.join(data, "link"))).toBe("/etc");
    expect(fs.statSync(data).mode & 0o7777).toBe(0o1777);
    expect(fs.readdirSync(hostLink)).toEqual([]);
    expect(fs.statSync(fresh).mode & 0o7777).toBe(0o755);
  });

  test("leaves out a volume that the request mounts something on", async () => {
    const { mounts: made } = await mounts({ mounts: [{ containerPath: "/data", hostPath: base }] }, image(["/data"]));
    expect(made.filter((mount) => mount.destination === "/data").map((mount) => mount.source)).toEqual([base]);
  });

  test.each(["/", "../..", "/proc/x", "/sys", "/to-proc"])("refuses the image's volume %s", async (volume) => {
    fs.symlinkSync("/proc", path.join(root, "to-proc"));
    await expect(mounts({}, image([volume]))).rejects.toMatchObject({ code: "InvalidArgument" });
  });

  test("labels the pod's files and the request's mounts that want it, where the container has a label", async () => {
    const label = "system_u:object_r:container_file_t:s0:c1,c2";
    const [hostsPath, wanted, other] = ["hosts", "wanted", "other"].map((name) => path.join(base, name)) as [
      string,
      string,
      string,
    ];
    for (const file of [hostsPath, wanted, other]) fs.writeFileSync(file, "");
    const config = {
      mounts: [
        { containerPath: "/wanted", hostPath: wanted, selinuxRelabel: true },
        { containerPath: "/other", hostPath: other },
      ],
    };
    const sandbox = { ...specInput(root, {}).sandbox, hostsPath };
    const labelled = () => [hostsPath, wanted, other].filter((file) => listXattrs(file).includes("security.selinux"));
    await mounts(config, { sandbox });
    expect(labelled()).toEqual([]);
    await mounts(config, { sandbox, selinux: { mount: label } });
    expect(labelled()).toEqual([hostsPath, wanted]);
    for (const hostPath of ["/usr", "/etc/hosts"]) {
      const system = { mounts: [{ containerPath: "/etc/hosts", hostPath, selinuxRelabel: true }] };
      await expect(mounts(system, { selinux: { mount: label } })).rejects.toMatchObject({ code: "InvalidArgument" });
    }
  });

  test("labels no file of the host's that a request puts in the place of one of the pod's", async () => {
    const [hostsPath, over] = ["hosts", "over"].map((name) => path.join(base, name)) as [string, string];
    for (const file of [hostsPath, over]) fs.writeFileSync(file, "");
    const config = { mounts: [{ containerPath: "/etc/hosts", hostPath: over }] };
    const sandbox = { ...specInput(root, {}).sandbox, hostsPath };
    await mounts(config, { sandbox, selinux: { mount: "system_u:object_r:container_file_t:s0" } });
    expect(listXattrs(over)).not.toContain("security.selinux");
  });
});

test("the host's mounts are read for those only that ask for propagation, and once", async () => {
  let reads = 0;
  const readHostMounts = () => {
    reads++;
    return [entry("/", ["shared:1"])];
  };
  const mount = { hostPath: base, propagation: MountPropagation.PROPAGATION_HOST_TO_CONTAINER };
  await specMounts(specInput(root, { mounts: [{ hostPath: base, containerPath: "/c" }] }), { readHostMounts });
  expect(reads).toBe(0);
  const two = ["/c", "/d"].map((containerPath) => ({ ...mount, containerPath }));
  await specMounts(specInput(root, { mounts: two }), { readHostMounts });
  expect(reads).toBe(1);
});
