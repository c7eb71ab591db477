import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { reopenLog } from "../../oci/runtime/conmon";
import { RuntimeHandlers } from "../../oci/runtime/handlers";
import { runHolder } from "../../oci/runtime/holder";
import { startExec } from "../../oci/runtime/exec-stream";
import type { OciRuntime } from "../../oci/runtime/oci-runtime";
import { Cgroups, cgroupsOf } from "../../sys/cgroups";
import { HostMounts } from "../../sys/mounts";
import { HostNamespaces } from "../../sys/namespaces";
import { identify, isAlive } from "../../sys/process-identity";
import { readAll } from "../../sys/spawn";
import { temporaryDirectory, uniqueId } from "../support/unique";

/** The OCI runtimes under conmon, and pinned namespaces, on the real kernel. */
const namespaces = new HostNamespaces();
const cgroups = new Cgroups();
const mounts = new HostMounts();
const parent = `/${uniqueId()}`;
let base = "";
let handlers: RuntimeHandlers;
const warnings: string[] = [];

beforeAll(async () => {
  base = temporaryDirectory();
  fs.mkdirSync(path.join(base, "exits"));
  const rootfs = path.join(base, "rootfs");
  for (const directory of ["bin", "proc", "dev"]) fs.mkdirSync(path.join(rootfs, directory), { recursive: true });
  fs.copyFileSync("/bin/busybox", path.join(rootfs, "bin/busybox"));
  for (const applet of ["sh", "cat", "true", "sleep", "yes", "ps", "echo", "stty"])
    fs.symlinkSync("busybox", path.join(rootfs, "bin", applet));
  handlers = await RuntimeHandlers.open(
    {
      configured: {},
      defaultHandler: "",
      conmon: "conmon",
      stateDirectory: path.join(base, "runtimes"),
      exitDirectory: path.join(base, "exits"),
      systemdCgroup: false,
      logSizeMaxBytes: -1,
      timeoutMs: 30_000,
    },
    (message) => warnings.push(message),
  );
});

afterAll(() => {
  cgroups.removeEmpty([parent]);
  if (base) fs.rmSync(base, { recursive: true, force: true });
});

interface Made {
  id: string;
  bundle: string;
  log: string;
  pid: number;
}

async function withContainer(runtime: OciRuntime, args: string[], use: (made: Made) => Promise<void>): Promise<void> {
  const id = randomBytes(32).toString("hex");
  const bundle = path.join(base, id);
  const rootfs = path.join(bundle, "rootfs");
  fs.mkdirSync(rootfs, { recursive: true });
  mounts.bind(path.join(base, "rootfs"), rootfs);
  const spec = {
    ociVersion: "1.0.2",
    root: { path: rootfs },
    process: { user: { uid: 0, gid: 0 }, args, env: ["PATH=/bin"], cwd: "/" },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs" },
      { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"] },
    ],
    linux: {
      cgroupsPath: `${parent}/${id}`,
      namespaces: [{ type: "pid" }, { type: "mount" }, { type: "network" }, { type: "ipc" }],
    },
  };
  fs.writeFileSync(path.join(bundle, "config.json"), JSON.stringify(spec));
  const log = path.join(bundle, "log");
  try {
    const { pid } = await runtime.create({ id, bundle, logPath: log, terminal: false, stdin: false });
    await use({ id, bundle, log, pid });
  } finally {
    await runtime.delete(id);
    mounts.unmount(rootfs);
    fs.rmSync(bundle, { recursive: true, force: true });
    fs.rmSync(path.join(base, "exits", id), { force: true });
  }
}

async function exitCode(id: string): Promise<number> {
  const file = path.join(base, "exits", id);
  for (let i = 0; i < 500 && !fs.existsSync(file); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  return Number(fs.readFileSync(file, "utf8"));
}

describe.each(["crun", "runc"])("%s", (name) => {
  const runtime = () => handlers.get(name);

  test("a container is made, runs, logs in the CRI's format and leaves its exit code", async () => {
    await withContainer(
      runtime(),
      ["sh", "-c", "echo out; echo err >&2; printf tail; exit 5"],
      async ({ id, log, pid }) => {
        expect(isAlive(identify(pid)!)).toBe(true);
        expect(fs.existsSync(path.join(base, "exits", id))).toBe(false);
        await runtime().start(id);
        expect(await exitCode(id)).toBe(5);
        const lines = fs.readFileSync(log, "utf8").trim().split("\n");
        const texts = lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\S+ /, "")).sort();
        expect(texts).toEqual(["stderr F err", "stdout F out", "stdout P tail"]);
      },
    );
  });

  test("exec() gives outputs and exit code apart, and a command that is not there is NotFound", async () => {
    await withContainer(runtime(), ["sleep", "60"], async ({ id, bundle }) => {
      await runtime().start(id);
      const process = (args: string[]) => ({ user: { uid: 0, gid: 0 }, args, env: ["PATH=/bin"], cwd: "/" });
      const exec = (args: string[], timeoutMs = 20_000, limitBytes = 1 << 20) =>
        runtime().exec({ id, process: process(args), timeoutMs, limitBytes, scratchDirectory: bundle });
      const result = await exec(["sh", "-c", "echo a; echo b >&2; exit 3"]);
      expect([result.stdout.toString(), result.stderr.toString(), result.exitCode]).toEqual(["a\n", "b\n", 3]);
      await expect(exec(["/no/such"])).rejects.toMatchObject({ code: "NotFound" });
      await expect(exec(["yes"], 20_000, 10_000)).rejects.toMatchObject({ code: "ResourceExhausted" });
      await expect(exec(["sh", "-c", "sleep 1234 & sleep 1234"], 300)).rejects.toMatchObject({
        code: "DeadlineExceeded",
      });
      const { stdout } = await exec(["ps"]);
      expect(stdout.toString()).not.toContain("1234");
      expect(fs.readdirSync(bundle).filter((file) => file.startsWith("exec-"))).toEqual([]);
    });
  });

  const execOnTerminal = ({ id, bundle }: Made, args: string[]) => {
    const process = { terminal: true, user: { uid: 0, gid: 0 }, args, env: ["PATH=/bin"], cwd: "/" };
    const streams = { stdin: true, stdout: true, stderr: false };
    return startExec(runtime(), { id, process, ...streams, scratchDirectory: bundle });
  };

  test("startExec() has all that a command prints on a terminal, however short its life", async () => {
    await withContainer(runtime(), ["sleep", "1000"], async (made) => {
      await runtime().start(made.id);
      const once = async () => {
        const exec = execOnTerminal(made, ["echo", "-n", "all of it"]);
        const { stdout } = await exec.opened;
        const text = readAll(stdout!, 1 << 10);
        expect(await exec.exited).toEqual({ exitCode: 0 });
        return text;
      };
      // many at once: the machine's load is what brings ends and outputs together
      for (let round = 0; round < 5; round++) {
        const texts = await Promise.all(Array.from({ length: 12 }, once));
        expect(texts).toEqual(texts.map(() => "all of it"));
      }
      expect(fs.readdirSync(made.bundle).filter((file) => file.startsWith("exec-"))).toEqual([]);
    });
  });

  test("startExec() on a terminal knows its size, and rejects for a command that is not there", async () => {
    await withContainer(runtime(), ["sleep", "1000"], async (made) => {
      await runtime().start(made.id);
      const awaitSize = 'until [ "$(stty size)" = "41 123" ]; do sleep 0.1; done';
      const exec = execOnTerminal(made, ["sh", "-c", `${awaitSize}; read line; echo got $line`]);
      const { stdin, stdout } = await exec.opened;
      const text = readAll(stdout!, 1 << 10);
      exec.resize({ rows: 41, columns: 123 });
      stdin!.write("typed\n");
      await exec.exited;
      expect(await text).toMatch(/got typed\r\n/);

      const failed = execOnTerminal(made, ["/no/such/command"]);
      const opened = await failed.opened;
      opened.stdout?.resume().on("error", () => {});
      await expect(failed.exited).rejects.toMatchObject({ code: "NotFound" });
      opened.stdout?.destroy();
      expect(fs.readdirSync(made.bundle).filter((file) => file.startsWith("exec-"))).toEqual([]);
    });
  });

  test("update() changes a limit of a container that was made, and reopenLog() a log that was moved", async () => {
    await withContainer(
      runtime(),
      ["sh", "-c", "while :; do echo x; sleep 0.05; done"],
      async ({ id, bundle, log, pid }) => {
        await runtime().update(id, { memory: { limit: 64 << 20 } }, bundle);
        const directory = cgroups.ofPaths("memory", cgroupsOf(pid))!;
        const file = cgroups.version === "v2" ? "memory.max" : "memory.limit_in_bytes";
        expect(fs.readFileSync(path.join(directory, file), "utf8").trim()).toBe(String(64 << 20));
        await runtime().start(id);
        for (let i = 0; i < 200 && fs.statSync(log).size === 0; i++)
          await new Promise((resolve) => setTimeout(resolve, 10));
        fs.renameSync(log, `${log}.1`);
        await reopenLog(bundle);
        for (let i = 0; i < 200 && !fs.existsSync(log); i++) await new Promise((resolve) => setTimeout(resolve, 10));
        expect(fs.existsSync(log)).toBe(true);
      },
    );
  });

  test("create() says what the runtime says, and leaves no container", async () => {
    const before = (await runtime().list()).length;
    await expect(withContainer(runtime(), ["/no/such/program"], ({ id }) => runtime().start(id))).rejects.toThrow(
      /no such|not found/i,
    );
    expect((await runtime().list()).length).toBe(before);
  });

  test("the holder of a PID namespace is its process 1, and goes with delete()", async () => {
    const id = randomBytes(32).toString("hex");
    const directory = path.join(base, id);
    const ns = path.join(directory, "ns");
    fs.mkdirSync(ns, { recursive: true });
    try {
      namespaces.pin({ directory: ns, types: ["net", "ipc", "uts"] });
      const files = { net: path.join(ns, "net"), ipc: path.join(ns, "ipc"), uts: path.join(ns, "uts") };
      const bundle = path.join(directory, "holder");
      const { pid } = await runHolder(runtime(), { id, bundle, cgroupsPath: `${parent}/${id}`, namespaces: files });
      const holder = identify(pid)!;
      expect(fs.readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^NSpid:\s+\d+\s+1$/m);
      expect(fs.readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^CapBnd:\s+0+$/m);
      const inode = (file: string) => fs.statSync(file).ino;
      expect(inode(`/proc/${pid}/ns/net`)).toBe(inode(files.net));
      namespaces.pinOf(pid, "pid", path.join(ns, "pid"));
      await runtime().delete(id);
      expect(isAlive(holder)).toBe(false);
    } finally {
      await runtime().delete(id);
      for (const type of ["net", "ipc", "uts", "pid"]) namespaces.unpin(path.join(ns, type));
      fs.rmSync(directory, { recursive: true });
    }
  });
});

test("the default handler is one that can run here", () => {
  expect(["crun", "runc"]).toContain(handlers.defaultName);
  if (handlers.defaultName === "runc") expect(warnings.join()).toContain("crun");
});

test("an unknown handler is refused with the known ones", () => {
  expect(() => handlers.get("kata")).toThrow('no runtime handler "kata"');
});

describe("namespaces", () => {
  test("pin() makes namespaces of their own, with sysctls, hostname and loopback, and comes back", async () => {
    const directory = fs.mkdtempSync(path.join(base, "ns-"));
    const own = () => ["net", "ipc", "uts"].map((type) => fs.readlinkSync(`/proc/thread-self/ns/${type}`));
    const before = own();
    const shmmni = fs.readFileSync("/proc/sys/kernel/shmmni", "utf8");
    try {
      namespaces.pin({
        directory,
        types: ["net", "ipc", "uts"],
        hostname: "pod-1",
        sysctls: [
          { file: "kernel/shmmni", value: "123" },
          { file: "net/ipv4/ip_unprivileged_port_start", value: "0" },
        ],
      });
      expect(own()).toEqual(before);
      expect(fs.readFileSync("/proc/sys/kernel/shmmni", "utf8")).toBe(shmmni);
      for (const type of ["net", "ipc", "uts"]) expect(namespaces.isPinned(path.join(directory, type))).toBe(true);
      const inside = (command: string) =>
        execFileSync(
          "nsenter",
          [`--net=${directory}/net`, `--ipc=${directory}/ipc`, `--uts=${directory}/uts`, "sh", "-c", command],
          {
            encoding: "utf8",
          },
        ).trim();
      expect(inside("hostname; cat /proc/sys/kernel/shmmni /proc/sys/net/ipv4/ip_unprivileged_port_start")).toBe(
        "pod-1\n123\n0",
      );
      expect(inside("ip -o -4 addr show lo")).toContain("127.0.0.1/8");
      // by another process, as someone does it by hand
      execFileSync("umount", [path.join(directory, "uts")]);
      await Promise.resolve();
      expect(["net", "ipc", "uts"].filter((type) => namespaces.isPinned(path.join(directory, type)))).toEqual([
        "net",
        "ipc",
      ]);
      const port = namespaces.inside(path.join(directory, "net"), "net", () =>
        fs.readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"),
      );
      expect(port.trim()).toBe("0");
    } finally {
      for (const type of ["net", "ipc", "uts"]) namespaces.unpin(path.join(directory, type));
    }
    expect(namespaces.isPinned(path.join(directory, "net"))).toBe(false);
  });

  test("pin() leaves nothing where a sysctl can't be set", () => {
    const directory = fs.mkdtempSync(path.join(base, "ns-"));
    expect(() =>
      namespaces.pin({ directory, types: ["net"], sysctls: [{ file: "net/no/such", value: "1" }] }),
    ).toThrow();
    expect(fs.readdirSync(directory)).toEqual([]);
  });
});
