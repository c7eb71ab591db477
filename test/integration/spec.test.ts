import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ContainerConfig, Init } from "../../api/messages";
import { buildSpec } from "../../oci/spec/build";
import type { SpecInput } from "../../oci/spec/input";
import { specInput } from "../../oci/spec/input.fixture";
import { encodeSpec } from "../../oci/runtime-spec";

/** What buildSpec() makes, run by the real crun and runc. */
const unique = `berth-spec-test-${randomBytes(4).toString("hex")}`;
const cgroupRoot = "/sys/fs/cgroup";
const unifiedControllers = `${cgroupRoot}/unified/cgroup.controllers`;
const isV2 = fs.existsSync(`${cgroupRoot}/cgroup.controllers`);
const version = isV2 ? "v2" : fs.existsSync(unifiedControllers) ? "hybrid" : "v1";
let base = "";
let rootfs = "";

beforeAll(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), `${unique}-`));
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", base]);
  // a shared mount of its own, for the runtimes make the one that the rootfs lies on private
  execFileSync("mount", ["--make-private", base]);
  fs.mkdirSync(path.join(base, "shared"));
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", path.join(base, "shared")]);
  execFileSync("mount", ["--make-shared", path.join(base, "shared")]);
  rootfs = path.join(base, "rootfs");
  for (const directory of ["bin", "etc", "proc", "sys", "dev", "tmp", "data/sub"]) {
    fs.mkdirSync(path.join(rootfs, directory), { recursive: true });
  }
  const busybox = ["/bin/busybox", "/usr/bin/busybox"].find((file) => fs.existsSync(file))!;
  fs.copyFileSync(busybox, path.join(rootfs, "bin/busybox"));
  for (const applet of [
    "sh",
    "id",
    "cat",
    "true",
    "mount",
    "grep",
    "ls",
    "stat",
    "unshare",
    "umount",
    "mkdir",
    "test",
  ]) {
    fs.symlinkSync("busybox", path.join(rootfs, "bin", applet));
  }
  fs.writeFileSync(path.join(rootfs, "etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n");
  fs.writeFileSync(path.join(rootfs, "etc/group"), "root:x:0:\napp:x:1001:\nwheel:x:2000:root,app\n");
  fs.writeFileSync(path.join(rootfs, "data/sub/file"), "of the image\n");
  fs.chownSync(path.join(rootfs, "data"), 1000, 1001);
  fs.chmodSync(path.join(rootfs, "data"), 0o1770);
});

afterAll(() => {
  if (base !== "") {
    spawnSync("umount", ["-l", "-R", base]);
    fs.rmdirSync(base);
  }
  for (const controller of ["", ...fs.readdirSync(cgroupRoot)]) {
    const directory = path.join(cgroupRoot, controller, unique);
    if (fs.existsSync(directory)) fs.rmdirSync(directory);
  }
});

let count = 0;
interface Outcome {
  output: string;
  status: number | null;
}

/** Runs a script in a container of its own, from the spec that `buildSpec` makes of `config`. */
async function run(
  runtime: string,
  script: string,
  config: Init<ContainerConfig> = {},
  over: Partial<SpecInput> = {},
): Promise<Outcome> {
  const id = `${unique}-${count++}`;
  const bundle = path.join(base, id);
  fs.mkdirSync(bundle);
  const input = specInput(rootfs, { command: ["/bin/sh", "-c", script], ...config });
  const { spec } = await buildSpec({
    ...input,
    cgroup: { version, driver: "cgroupfs", path: `/${unique}/${id}` },
    volumesDir: path.join(bundle, "volumes"),
    ...over,
  });
  fs.writeFileSync(path.join(bundle, "config.json"), encodeSpec(spec));
  const state = path.join(base, `state-${runtime}`);
  try {
    const done = spawnSync(runtime, ["--root", state, "run", "--bundle", bundle, id], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 30_000,
    });
    return { output: (done.stdout + done.stderr).trim(), status: done.status };
  } finally {
    spawnSync(runtime, ["--root", state, "delete", "--force", id]);
    fs.rmSync(bundle, { recursive: true, force: true });
  }
}

const pidNamespace = { pid: 1 };
const context = (
  init: NonNullable<NonNullable<Init<ContainerConfig>["linux"]>["securityContext"]>,
): Init<ContainerConfig> => ({ linux: { securityContext: { namespaceOptions: pidNamespace, ...init } } });

// crun refuses a hybrid hierarchy with controllers on its v2 side
const isMixed = version === "hybrid" && fs.readFileSync(unifiedControllers, "utf8").trim() !== "";
const runtimes = ["crun", "runc"]
  .filter((name) => spawnSync(name, ["--help"]).status === 0)
  .filter((name) => name !== "crun" || !isMixed);

describe.each(runtimes)("buildSpec() under %s", (runtime) => {
  test("runs a command with user, groups, environment and working directory", async () => {
    const { output } = await run(runtime, "id; echo $HOSTNAME $HOME $A $PATH; pwd", {
      ...context({ runAsUsername: "app", supplementalGroups: [5n] }),
      envs: [{ key: "A", value: Buffer.from("b c") }],
      workingDir: "/tmp",
    });
    expect(output).toMatch(/uid=1000\(app\) gid=1001\(app\) groups=5,1001\(app\),2000\(wheel\)/);
    expect(output).toMatch(/^web-0 \/home\/app b c \/usr\/local\/sbin/m);
    expect(output).toMatch(/^\/tmp$/m);
  });

  test("gives the default capabilities and what is added, ambient for who is not root", async () => {
    const caps = "grep Cap /proc/self/status";
    const plain = await run(runtime, caps, context({}));
    expect(plain.output).toMatch(/CapInh:\t0+\n/);
    expect(plain.output).toMatch(/CapEff:\t00000000a80425fb/);
    const capabilities = { addAmbientCapabilities: ["NET_ADMIN"], dropCapabilities: ["ALL"] };
    const ambient = await run(runtime, caps, context({ capabilities, runAsUser: { value: 1000n } }));
    expect(ambient.output).toMatch(/CapEff:\t0000000000001000\n/);
    expect(ambient.output).toMatch(/CapAmb:\t0000000000001000/);
  });

  test("filters by the default seccomp profile", async () => {
    const script = "grep Seccomp: /proc/self/status; unshare -U true && echo made || echo refused";
    const filtered = await run(runtime, script, context({ seccomp: { profileType: 0 }, noNewPrivs: true }));
    expect(filtered.output).toMatch(/Seccomp:\t2/);
    expect(filtered.output).toMatch(/^refused$/m);
    const open = await run(runtime, script, context({}));
    expect(open.output).toMatch(/Seccomp:\t0/);
    expect(open.output).toMatch(/made$/);
  });

  test("filters by a profile of the node's", async () => {
    const file = path.join(base, "profile.json");
    const rules = [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }];
    fs.writeFileSync(file, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: rules }));
    const seccomp = { profileType: 2, localhostRef: file };
    expect((await run(runtime, "mkdir /tmp/x", context({ seccomp }))).output).toMatch(/not permitted/);
  });

  test("masks, makes read-only, and opens all for a privileged container", async () => {
    const script =
      "cat /proc/timer_list | grep -c . ; mkdir /tmp/ro ; grep CapEff /proc/self/status; mount | grep -e cgroup -e ' /proc/sys '";
    const lists = { maskedPaths: ["/proc/timer_list"], readonlyPaths: ["/proc/sys"], readonlyRootfs: true };
    const closed = await run(runtime, script, context(lists));
    expect(closed.output).toMatch(/^0$/m);
    expect(closed.output).toMatch(/Read-only file system/);
    expect(closed.output).toMatch(/on \/sys\/fs\/cgroup\S* type cgroup2? \(ro/);
    expect(closed.output).toMatch(/on \/proc\/sys type proc \(ro/);
    const sandbox = { ...specInput(rootfs, {}).sandbox, privileged: true };
    const open = await run(runtime, `${script}; ls /dev`, context({ ...lists, privileged: true }), { sandbox });
    expect(open.output).not.toMatch(/^0$/m);
    expect(open.output).not.toContain("on /proc/sys ");
    expect(open.output).toMatch(/on \/sys\/fs\/cgroup\S* type cgroup2? \(rw/);
    const own = /CapEff:\t(\S+)/.exec(fs.readFileSync("/proc/self/status", "utf8"))![1];
    expect(open.output).toContain(`CapEff:\t${own}`);
    expect(open.output.split("\n").length).toBeGreaterThan(closed.output.split("\n").length + 5);
  });

  test("mounts host paths, image volumes and the pod's files, with propagation both ways", async () => {
    const shared = path.join(base, "shared", runtime);
    fs.mkdirSync(path.join(shared, "mnt"), { recursive: true });
    const hosts = path.join(base, "hosts");
    fs.writeFileSync(hosts, "10.0.0.1 web-0\n");
    const input = specInput(rootfs, {});
    const sandbox = { ...input.sandbox, hostsPath: hosts, privileged: true };
    const image = { ...input.image, config: { Volumes: { "/data": {} } } };
    const { output } = await run(
      runtime,
      "cat /etc/hosts; cat /data/sub/file; stat -c '%a %u:%g' /data; mkdir /ro/x 2> /dev/null || echo unwritable; ls -d /made; " +
        "mount -t tmpfs tmpfs /shared/mnt && echo mounted",
      {
        ...context({ privileged: true }),
        mounts: [
          { containerPath: "/shared", hostPath: shared, propagation: 2 },
          { containerPath: "/ro", hostPath: shared, readonly: true, mountOptions: ["noexec"] },
          { containerPath: "/made", hostPath: path.join(base, "made", runtime) },
        ],
      },
      { sandbox, image },
    );
    expect(output).toBe("10.0.0.1 web-0\nof the image\n1770 1000:1001\nunwritable\n/made\nmounted");
    const mounts = fs.readFileSync("/proc/self/mountinfo", "utf8");
    expect(mounts).toContain(` ${path.join(shared, "mnt")} `);
    execFileSync("umount", [path.join(shared, "mnt")]);
  });

  test("lets a program gain privileges unless it must not", async () => {
    const script = "grep NoNewPrivs /proc/self/status";
    expect((await run(runtime, script, context({}))).output).toBe("NoNewPrivs:\t0");
    expect((await run(runtime, script, context({ noNewPrivs: true }))).output).toBe("NoNewPrivs:\t1");
  });

  test("passes devices and their permissions", async () => {
    const { output } = await run(runtime, "ls -l /dev/mine; cat /dev/mine && echo read", {
      ...context({}),
      devices: [{ hostPath: "/dev/null", containerPath: "/dev/mine", permissions: "rw" }],
    });
    expect(output).toMatch(/1, +3 .*\/dev\/mine\nread$/);
  });

  test("limits CPU, memory, swap and the number of processes", async () => {
    const resources = {
      ...{ cpuShares: 512n, cpuQuota: 50000n, cpuPeriod: 100000n },
      ...{ memoryLimitInBytes: 67108864n, oomScoreAdj: 500n },
    };
    const files = isV2
      ? "cpu.max memory.max memory.swap.max pids.max"
      : "cpu/cpu.shares cpu/cpu.cfs_quota_us memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes pids/pids.max";
    const script = `cd /sys/fs/cgroup; cat ${files} /proc/self/oom_score_adj`;
    const config = { linux: { resources, securityContext: { namespaceOptions: pidNamespace } } };
    const { output } = await run(runtime, script, config, {
      defaults: { ...specInput(rootfs, {}).defaults, pidsLimit: 77 },
    });
    const limits = isV2 ? ["50000 100000", "67108864", "0"] : ["512", "50000", "67108864", "67108864"];
    expect(output.split("\n")).toEqual([...limits, "77", "500"]);
  });

  test("gives a terminal its TERM", async () => {
    const input = specInput(rootfs, { tty: true, command: ["/bin/sh", "-c", "true"] });
    const { spec } = await buildSpec({ ...input, volumesDir: path.join(base, "none") });
    expect(spec.process.terminal).toBe(true);
    expect(spec.process.env).toContain("TERM=xterm");
  });

  test("starts in a working directory that the image lacks", async () => {
    expect((await run(runtime, "pwd", { ...context({}), workingDir: "/not/there" })).output).toBe("/not/there");
  });
});

test("crun or runc is there to try the specs with", () => {
  expect(runtimes).not.toEqual([]);
});
