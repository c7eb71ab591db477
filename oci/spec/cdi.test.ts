import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { ContainerConfig, Init } from "../../api/messages";
import { buildSpec } from "./build";
import type { SpecInput } from "./input";
import { specInput } from "./input.fixture";

let base = "";
let root = "";
beforeEach(() => {
  base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "berth-spec-cdi-")));
  root = path.join(base, "rootfs");
  fs.mkdirSync(root);
});
afterEach(() => fs.rmSync(base, { recursive: true }));

const file = () => path.join(base, "v.json");
const cdi = (over: Partial<SpecInput["cdi"]> = {}) => ({ enabled: true, specDirs: [base], allowHooks: false, ...over });

async function build(edits: object, config: Init<ContainerConfig> = {}, over: Partial<SpecInput> = {}) {
  const device = { name: "one", containerEdits: edits };
  fs.writeFileSync(file(), JSON.stringify({ cdiVersion: "1.1.0", kind: "v.com/c", devices: [device] }));
  const named = { CDIDevices: [{ name: "v.com/c=one" }], ...config };
  return (await buildSpec(specInput(root, named, { cdi: cdi(), ...over }))).spec;
}

describe("buildSpec() with CDI devices", () => {
  test("adds variables, groups and devices with their rules", async () => {
    const edits = {
      env: ["PATH=/vendor", "NEW=1"],
      additionalGids: [44],
      deviceNodes: [
        { path: "/dev/x", hostPath: "/dev/null", permissions: "rw" },
        { path: "/dev/y", type: "c", major: 511, minor: 3, uid: 7, gid: 8, fileMode: 0o600 },
        { path: "/dev/z", hostPath: "/dev/zero", permissions: "none" },
      ],
    };
    const runAs = { runAsUser: { value: 1000n }, runAsGroup: { value: 1001n } };
    const { process, linux } = await build(edits, { linux: { securityContext: runAs } });
    expect(process.env).toEqual(["PATH=/vendor", "HOSTNAME=web-0", "NEW=1"]);
    expect(process.user.additionalGids).toEqual([44, 1001]);
    const owner = { uid: 1000, gid: 1001 };
    expect(linux.devices).toEqual([
      { path: "/dev/x", type: "c", major: 1, minor: 3, fileMode: 0o666, ...owner },
      { path: "/dev/y", type: "c", major: 511, minor: 3, fileMode: 0o600, uid: 7, gid: 8 },
      { path: "/dev/z", type: "c", major: 1, minor: 5, fileMode: 0o666, ...owner },
    ]);
    expect(linux.resources.devices).toEqual([
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 1, minor: 3, access: "rw" },
      { allow: true, type: "c", major: 511, minor: 3, access: "rwm" },
    ]);
  });

  test("mounts what a file brings along, in the place of what is asked for there", async () => {
    fs.symlinkSync(root, path.join(base, "link"));
    const edits = {
      mounts: [
        { hostPath: path.join(base, "link"), containerPath: "/data" },
        { hostPath: "tmpfs", containerPath: "/data/deep/scratch", type: "tmpfs", options: ["size=1m"] },
      ],
    };
    const asked = ["/data", "/data/deep"].map((containerPath) => ({ containerPath, hostPath: base }));
    const { mounts } = await build(edits, { mounts: asked });
    expect(mounts.filter(({ destination }) => destination.startsWith("/data"))).toEqual([
      { destination: "/data", type: "bind", source: root, options: ["rbind"] },
      expect.objectContaining({ destination: "/data/deep", source: base }),
      { destination: "/data/deep/scratch", type: "tmpfs", source: "tmpfs", options: ["size=1m"] },
    ]);
  });

  test("maps the owners of mounts in a pod with a user namespace", async () => {
    const ids = [{ containerId: 0, hostId: 1000, length: 65536 }];
    const user = { path: "/u", uids: ids, gids: ids };
    const sandbox = { ...specInput(root, {}).sandbox, namespaces: { user } };
    const usernsOptions = { mode: 0, uids: ids, gids: ids };
    const linux = { securityContext: { namespaceOptions: { usernsOptions } } };
    const mount = { hostPath: base, containerPath: "/data", options: ["rbind", "ro"] };
    const { mounts } = await build({ mounts: [mount] }, { linux }, { sandbox });
    const mapping = [{ containerID: 0, hostID: 1000, size: 65536 }];
    const data = mounts.find(({ destination }) => destination === "/data");
    expect(data).toMatchObject({ source: base, uidMappings: mapping, gidMappings: mapping });
  });

  test("takes names from annotations, and none where CDI is disabled", async () => {
    const annotations = { "cdi.k8s.io/plugin_1": "v.com/c=one" };
    const env = async (over: Partial<SpecInput["cdi"]>, config: Init<ContainerConfig>) =>
      (await build({ env: ["NEW=1"] }, config, { cdi: cdi(over) })).process.env;
    expect(await env({}, { CDIDevices: [], annotations })).toContain("NEW=1");
    expect(await env({ enabled: false }, { CDIDevices: [], annotations })).not.toContain("NEW=1");
    await expect(env({ enabled: false }, {})).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringContaining("CDI is disabled"),
    });
  });

  test("lets hooks run only where the configuration allows it, and names the file otherwise", async () => {
    const hooks = [{ hookName: "createContainer", path: "/bin/hook", args: ["hook", "x"], timeout: 3 }];
    await expect(build({ hooks })).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringContaining(`${file()}: it asks for a hook, createContainer by "/bin/hook"`),
      hint: expect.stringContaining("cdi_allow_hooks"),
    });
    const spec = await build({ hooks }, {}, { cdi: cdi({ allowHooks: true }) });
    expect(spec.hooks).toEqual({ createContainer: [{ path: "/bin/hook", args: ["hook", "x"], env: [], timeout: 3 }] });
  });

  test("passes on resctrl and interfaces where the runtime has them", async () => {
    const edits = { intelRdt: { closID: "a" }, netDevices: [{ hostInterfaceName: "eth5", name: "eth1" }] };
    await expect(build(edits)).rejects.toThrow(/intelRdt/);
    await expect(build({ netDevices: edits.netDevices })).rejects.toThrow(/network devices/);
    const features = { ...specInput(root, {}).features, intelRdt: true, netDevices: true };
    const { linux } = await build(edits, {}, { features });
    expect(linux).toMatchObject({ intelRdt: { closID: "a" }, netDevices: { eth5: { name: "eth1" } } });
  });

  test.each<[string, object]>([
    ["a device that the host lacks", { deviceNodes: [{ path: "/dev/none" }] }],
    ["a device of another type", { deviceNodes: [{ path: "/dev/null", type: "b" }] }],
    ["a file as a device", { deviceNodes: [{ path: "/dev/x", hostPath: "/etc/passwd" }] }],
    ["a mount of nothing", { mounts: [{ hostPath: "/nowhere", containerPath: "/a" }] }],
  ])("refuses %s with the file's name", async (_what, edits) => {
    await expect(build(edits)).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringContaining(file()),
    });
  });
});
