import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ContainerConfig, Init } from "../../api/messages";
import { encodeSpec } from "../runtime-spec";
import { buildSpec } from "./build";
import type { SpecInput } from "./input";
import { sandboxConfig, specInput } from "./input.fixture";
import { oomScoreAdj } from "./oom-score";
import { rlimits } from "./rlimits";

let root = "";
beforeAll(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "berth-build-"));
});
afterAll(() => fs.rmSync(root, { recursive: true }));

const build = async (config: Init<ContainerConfig> = {}, over: Partial<SpecInput> = {}) =>
  (await buildSpec(specInput(root, config, over))).spec;
const context = (
  init: NonNullable<NonNullable<Init<ContainerConfig>["linux"]>["securityContext"]>,
): Init<ContainerConfig> => ({ linux: { securityContext: init } });
const sandbox = (over: Partial<SpecInput["sandbox"]>) => ({ sandbox: { ...specInput(root, {}).sandbox, ...over } });
const types = async (config: Init<ContainerConfig>, over: Partial<SpecInput>) =>
  (await build(config, over)).linux.namespaces.map(({ type, path }) => (path ? `${type}=${path}` : type));

describe("buildSpec()", () => {
  test("makes a whole spec of an old version, with no hooks, that is JSON", async () => {
    const spec = await build();
    expect(spec.ociVersion).toBe("1.0.2");
    expect(spec).not.toHaveProperty("hooks");
    expect(spec.process).toMatchObject({ args: ["/bin/true"], cwd: "/", noNewPrivileges: false, oomScoreAdj: 0 });
    expect(JSON.parse(encodeSpec(spec)).linux.cgroupsPath).toBe("/berth-spec-test/c1");
  });

  test("refuses a privileged container in an unprivileged sandbox, and opens all in a privileged one", async () => {
    const privileged = context({ privileged: true, maskedPaths: ["/proc/keys"], seccomp: { profileType: 0 } });
    await expect(build(privileged)).rejects.toMatchObject({ code: "InvalidArgument" });
    const { linux } = await build(privileged, sandbox({ privileged: true }));
    expect(linux.maskedPaths).toEqual([]);
    expect(linux.seccomp).toBeUndefined();
    expect(linux.devices.length).toBeGreaterThan(3);
  });

  test("joins the pod's namespaces, and the PID namespace that is asked for", async () => {
    const pod = sandbox({ namespaces: { network: "/n", ipc: "/i", uts: "/u", pid: "/p" } });
    const options = (pid: number) => context({ namespaceOptions: { pid } });
    expect(await types({}, pod)).toEqual(["mount", "network=/n", "ipc=/i", "uts=/u", "pid=/p"]);
    expect(await types(options(1), pod)).toContain("pid");
    expect(await types(options(2), pod)).toEqual(["mount", "network=/n", "ipc=/i", "uts=/u"]);
    expect(await types(options(3), { ...pod, targetPidPath: "/t" })).toContain("pid=/t");
    await expect(build(options(3), pod)).rejects.toMatchObject({ code: "FailedPrecondition" });
    const own = sandboxConfig({ linux: { securityContext: { namespaceOptions: { pid: 1 } } } });
    expect(await types({}, sandbox({ config: own }))).toEqual(["mount", "pid"]);
  });

  test("gives a cgroup namespace on v2 alone", async () => {
    const cgroup = { version: "v2", driver: "systemd", path: "kubepods.slice:berth:c1" } as const;
    expect(await types({}, { cgroup })).toContain("cgroup");
    expect(await types({}, {})).not.toContain("cgroup");
    await expect(build({}, { cgroup: { ...cgroup, path: "/a" } })).rejects.toMatchObject({ code: "Internal" });
  });

  test("says to systemd that processes have no limit, which else has one of its own", async () => {
    const cgroup = { version: "v2", driver: "systemd", path: "kubepods.slice:berth:c1" } as const;
    expect((await build({}, { cgroup })).linux.resources?.pids).toEqual({ limit: -1 });
    expect((await build()).linux.resources?.pids).toBeUndefined();
    const defaults = { capabilities: [], pidsLimit: 9 };
    expect((await build({}, { cgroup, defaults })).linux.resources?.pids).toEqual({ limit: 9 });
  });

  test("wants the sandbox's user namespace, and no other", async () => {
    const ids = [{ containerId: 0, hostId: 100000, length: 65536 }];
    const pod = sandbox({ namespaces: { network: "/n", user: { path: "/us", uids: ids, gids: ids } } });
    const same = context({ namespaceOptions: { usernsOptions: { mode: 0, uids: ids, gids: ids } } });
    expect((await build(same, pod)).linux).toMatchObject({
      namespaces: expect.arrayContaining([{ type: "user", path: "/us" }]),
      uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
    });
    await expect(build({}, pod)).rejects.toThrow(/user namespace/);
    await expect(build(same)).rejects.toThrow(/user namespace/);
    const other = [{ containerId: 0, hostId: 1, length: 65536 }];
    const usernsOptions = { mode: 0, uids: other, gids: ids };
    await expect(build(context({ namespaceOptions: { usernsOptions } }), pod)).rejects.toThrow(/mappings/);
    await expect(build(context({ namespaceOptions: { usernsOptions: { mode: 1 } } }), pod)).rejects.toThrow(/mode/);
  });

  test("passes only annotations that are let through, and its own over them", async () => {
    const config = {
      annotations: {
        "io.kubernetes.cri.sandbox-id": "forged",
        "org.systemd.property.TasksMax": "1",
        "run.oci.hooks.stdout": "/x",
        "a.b/c": "1",
        other: "2",
      },
    };
    const { annotations } = await build(config, {
      allowedAnnotations: ["a.b/*", "org.systemd.*", "run.oci.*", "io.*"],
    });
    expect(annotations).toEqual({
      "a.b/c": "1",
      "io.kubernetes.cri.container-type": "container",
      "io.kubernetes.cri.sandbox-id": "s1",
      "io.kubernetes.cri.sandbox-name": "pod",
      "io.kubernetes.cri.sandbox-namespace": "default",
      "io.kubernetes.cri.sandbox-uid": "u-1",
      "io.kubernetes.cri.container-name": "app",
      "io.kubernetes.cri.image-name": "busybox:1",
    });
    expect((await build(config)).annotations.other).toBeUndefined();
  });

  test("tells the user that it found and what it left out", async () => {
    const daemon = { capabilities: ["CAP_CHOWN"], oomScoreAdj: 0, hasSysResource: false };
    const built = await buildSpec(specInput(root, context({ runAsUser: { value: 7n } }), { daemon }));
    expect(built.user).toMatchObject({ uid: 7, gid: 0, additionalGids: [0] });
    expect(built.warnings).toEqual([expect.stringContaining("CAP_KILL")]);
  });

  test("passes on SELinux labels, and says nothing of them without", async () => {
    const selinux = { process: "system_u:system_r:container_t:s0", mount: "system_u:object_r:container_file_t:s0" };
    const { process, linux } = await build({}, { selinux });
    expect([process.selinuxLabel, linux.mountLabel]).toEqual([selinux.process, selinux.mount]);
    const plain = await build();
    expect(plain.process).not.toHaveProperty("selinuxLabel");
    expect(plain.linux).not.toHaveProperty("mountLabel");
  });

  test("gives devices to the request's user and group where the configuration says so, but not to root", async () => {
    const devices = [{ hostPath: "/dev/null", containerPath: "/dev/x", permissions: "rw" }];
    const owners = async (deviceOwnership: boolean, user: bigint) => {
      const linux = { securityContext: { runAsUser: { value: user }, runAsGroup: { value: user } } };
      const [device] = (await build({ devices, linux }, { deviceOwnership })).linux.devices;
      return [device!.uid, device!.gid];
    };
    const ofHost = await owners(false, 1000n);
    expect(ofHost).not.toContain(1000);
    expect(await owners(true, 1000n)).toEqual([1000, 1000]);
    expect(await owners(true, 0n)).toEqual(ofHost);
  });

  test("keeps the host's devices from a privileged container whose handler says so", async () => {
    const over = { ...sandbox({ privileged: true }), privilegedWithoutHostDevices: true };
    const { linux } = await build(context({ privileged: true }), over);
    expect(linux.devices).toEqual([]);
    expect(linux.resources.devices).toEqual([{ allow: false, access: "rwm" }]);
  });
});

describe("oomScoreAdj()", () => {
  test("goes below the daemon's own only with CAP_SYS_RESOURCE", () => {
    expect(oomScoreAdj(-998n, { oomScoreAdj: 0, hasSysResource: false })).toBe(0);
    expect(oomScoreAdj(-998n, { oomScoreAdj: 0, hasSysResource: true })).toBe(-998);
    expect(() => oomScoreAdj(1001n, { oomScoreAdj: 0, hasSysResource: true })).toThrow(/not between/);
  });
});

describe("rlimits()", () => {
  test("cuts to the daemon's own hard limit without CAP_SYS_RESOURCE", () => {
    const limitsFile = path.join(root, "limits");
    fs.writeFileSync(limitsFile, "Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  4096  files\n");
    const ulimits = [{ type: "RLIMIT_NOFILE", soft: 8192, hard: -1 }];
    expect(rlimits({ ulimits, hasSysResource: false, limitsFile })).toEqual([
      { type: "RLIMIT_NOFILE", hard: 4096, soft: 4096 },
    ]);
    const free = rlimits({ ulimits, hasSysResource: true });
    expect(encodeSpec(free)).toBe('[{"type":"RLIMIT_NOFILE","hard":18446744073709551615,"soft":8192}]');
    expect(() => rlimits({ ulimits: [{ type: "X", soft: 1, hard: 1 }], hasSysResource: true })).toThrow(/unknown/);
  });
});
