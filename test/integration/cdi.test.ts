import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { Crictl } from "../support/crictl";
import { startDaemon, type TestDaemon, testDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";
import { temporaryDirectory } from "../support/unique";

/** Devices by name (Container Device Interface), asked for by the real crictl. */
let registry: TestRegistry;
let daemon: TestDaemon;
/** Another, that lets hooks run; started by who needs it. */
let trusting: TestDaemon;
let crictl: Crictl;
let image = "";
let base = "";
let directories: string[] = [];

beforeAll(async () => {
  base = temporaryDirectory();
  directories = ["etc", "run"].map((name) => path.join(base, name));
  for (const directory of directories) fs.mkdirSync(directory);
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  const runtime = { cdi_spec_dirs: directories };
  daemon = await startDaemon({ registry: registry.url, options: { runtime } });
  trusting = testDaemon({ registry: registry.url, options: { runtime: { ...runtime, cdi_allow_hooks: true } } });
  crictl = new Crictl(daemon);
  await crictl.run("pull", image);
}, 60_000);

afterEach(async () => {
  await crictl.run("rmp", "--all", "--force");
});

afterAll(async () => {
  await daemon?.remove();
  await trusting?.remove();
  await registry?.stop();
  if (base) fs.rmSync(base, { recursive: true });
}, 60_000);

const podFile = () => {
  const metadata = { name: "pod", namespace: "default", uid: "uid-1", attempt: 0 };
  return crictl.file("pod.json", { metadata, linux: {} });
};
const pod = () => crictl.run("runp", podFile());

async function create(podId: string, config: object) {
  const command = ["sleep", "1000"];
  const whole = { metadata: { name: "c", attempt: 0 }, image: { image }, command, linux: {}, ...config };
  return crictl.try("create", "--no-pull", podId, crictl.file("c.json", whole), podFile());
}

async function run(config: object): Promise<(script: string) => Promise<string>> {
  const { stdout, stderr, status } = await create(await pod(), config);
  if (status !== 0) throw new Error(stderr);
  await crictl.run("start", stdout.trim());
  return (script) => crictl.run("exec", "-s", stdout.trim(), "sh", "-c", script);
}

const write = (name: string, spec: object) => {
  const file = path.join(base, name);
  fs.writeFileSync(file, JSON.stringify({ cdiVersion: "0.6.0", kind: "vendor.com/null", ...spec }));
  return file;
};

describe("a container that asks for devices by name", () => {
  test("has their nodes, variables and mounts, whichever way it asks", async () => {
    fs.writeFileSync(path.join(base, "driver"), "of the vendor\n");
    const yaml = `
cdiVersion: 0.6.0
kind: vendor.com/null
containerEdits:
  env: [VENDOR=yes]
  mounts:
  - {hostPath: ${path.join(base, "driver")}, containerPath: /opt/vendor/driver, options: [ro, rbind]}
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - {path: /dev/vendor0, hostPath: /dev/null, permissions: rw, uid: 7, gid: 8, fileMode: 0640}
- name: "1"
  containerEdits:
    deviceNodes:
    - {path: /dev/vendor1, type: c, major: 10, minor: 229, permissions: r}
`;
    fs.writeFileSync(path.join(base, "etc/vendor.yaml"), yaml);
    const annotations = { "cdi.k8s.io/plugin_1": "vendor.com/null=1" };
    const sh = await run({ CDI_devices: [{ name: "vendor.com/null=0" }], annotations });
    expect(await sh("stat -c '%F %t,%T %u:%g %a' /dev/vendor0")).toBe("character special file 1,3 7:8 640");
    expect(await sh("echo all > /dev/vendor0 && wc -c < /dev/vendor0")).toBe("0");
    // FUSE's number: everybody may open it, and no runtime allows it of itself
    expect(await sh("stat -c %t,%T /dev/vendor1")).toBe("a,e5");
    expect(await sh("(: < /dev/vendor1) 2>&1 || true")).not.toMatch(/not permitted/);
    expect(await sh("(echo x > /dev/vendor1) 2>&1 || true")).toMatch(/not permitted/);
    expect(await sh("echo $VENDOR; cat /opt/vendor/driver; (: > /opt/vendor/driver) 2>&1 || true")).toMatch(
      /^yes\nof the vendor\n.*Read-only/,
    );
    fs.rmSync(path.join(base, "etc/vendor.yaml"));
  });

  test("a file that appears later counts, and goes before the one of the node's administrator", async () => {
    const env = (value: string) => ({ devices: [{ name: "gpu", containerEdits: { env: [`FROM=${value}`] } }] });
    const files = [write("etc/z.json", env("etc"))];
    const config = { CDI_devices: [{ name: "vendor.com/null=gpu" }] };
    expect(await (await run(config))("echo $FROM")).toBe("etc");
    await crictl.run("rmp", "--all", "--force");
    files.push(write("run/a.json", env("run")));
    expect(await (await run(config))("echo $FROM")).toBe("run");
    for (const file of files) fs.rmSync(file);
  });

  test("is refused with the file's name where that is malformed or wants hooks, and leaves nothing", async () => {
    const podId = await pod();
    const bad = path.join(base, "run/bad.json");
    fs.writeFileSync(bad, '{"cdiVersion":');
    const config = { CDI_devices: [{ name: "vendor.com/null=x" }] };
    expect((await create(podId, config)).stderr).toContain(`unresolvable CDI devices vendor.com/null=x`);
    expect((await create(podId, config)).stderr).toContain(bad);
    fs.rmSync(bad);
    const hooks = [{ hookName: "createRuntime", path: "/bin/touch", args: ["touch", path.join(base, "ran")] }];
    const asking = write("run/hooks.json", { devices: [{ name: "x", containerEdits: { hooks } }] });
    const { stderr } = await create(podId, config);
    expect(stderr).toContain(`${asking}: it asks for a hook`);
    expect(stderr).toContain("cdi_allow_hooks");
    fs.rmSync(asking);
    expect(fs.existsSync(path.join(base, "ran"))).toBe(false);
    expect(await crictl.run("ps", "-aq")).toBe("");
    expect(fs.readdirSync(path.join(daemon.state, "containers"))).toEqual([]);
  });

  test("has its hooks run on the host, with the container's state, where the configuration allows them", async () => {
    await trusting.start();
    const other = new Crictl(trusting);
    await other.run("pull", image);
    const state = path.join(base, "state.json");
    const hooks = [{ hookName: "createRuntime", path: "/bin/sh", args: ["sh", "-c", `cat > ${state}`], timeout: 10 }];
    const file = write("run/hooks.json", { devices: [{ name: "x", containerEdits: { hooks } }] });
    const podId = await other.run("runp", podFile());
    const config = { metadata: { name: "c" }, image: { image }, command: ["sleep", "1000"], linux: {} };
    const asking = other.file("c.json", { ...config, CDI_devices: [{ name: "vendor.com/null=x" }] });
    const id = await other.run("create", "--no-pull", podId, asking, podFile());
    expect(JSON.parse(fs.readFileSync(state, "utf8"))).toMatchObject({ id });
    fs.rmSync(file);
    await other.run("rmp", "-f", podId);
  }, 30_000);
});
