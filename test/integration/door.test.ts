import { execFileSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Client } from "../../cri/client/client";
import { startDaemon, type TestDaemon, testDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { podCalls } from "../support/pods";
import { type TestRegistry, testRegistry } from "../support/registry";

/** Who gets in: the socket, the files, the addresses that the daemon listens on, and what it needs to be itself. */
const group = 4711;
const nobody = 65534;

let registry: TestRegistry;
let daemon: TestDaemon;
let client: Client;
let image = "";
let container = "";

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage({ Volumes: { "/volume": {} } }));
  daemon = await startDaemon({ registry: registry.url, options: { socket_group: String(group) } });
  // so that what keeps others out is the daemon's own doing
  fs.chmodSync(daemon.directory, 0o711);
  client = new Client(daemon.socket);
  await client.image("PullImage", { image: { image } });
  const { id } = (await client.image("ImageStatus", { image: { image } })).image!;
  const mounts = [{ containerPath: "/image", image: { image: id }, readonly: true }];
  container = await runContainer(await runPod(), { mounts, envs: [{ key: "SECRET", value: Buffer.from("hush") }] });
}, 60_000);

afterAll(async () => {
  if (client) await removePods();
  client?.close();
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

const { runPod, runContainer, statusOf, removePods } = podCalls(() => ({ client, daemon, image }));

/** A shell command as somebody who is not root. */
function as(ids: { uid: number; gid: number }, script: string): string {
  try {
    return execFileSync("sh", ["-c", script], { ...ids, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  } catch (error) {
    return String((error as { stderr: string }).stderr).trim();
  }
}

describe("the socket", () => {
  test("is root's and its group's", () => {
    const { mode, uid, gid } = fs.statSync(daemon.socket);
    expect([mode & 0o7777, uid, gid]).toEqual([0o660, 0, group]);
  });

  test("takes who is of the group, and nobody else", () => {
    const script = `
      const socket = require("node:net").connect(${JSON.stringify(daemon.socket)});
      socket.on("connect", () => { console.log("in"); socket.destroy(); }).on("error", (error) => console.log(error.code));`;
    const asked = (ids: { uid: number; gid: number }) =>
      execFileSync(process.execPath, ["-e", script], { ...ids, cwd: "/", encoding: "utf8" }).trim();
    expect(asked({ uid: nobody, gid: group })).toBe("in");
    expect(asked({ uid: nobody, gid: nobody })).toBe("EACCES");
  });

  test("is root's alone where no group is named", async () => {
    const other = await startDaemon();
    try {
      const { mode, uid, gid } = fs.statSync(other.socket);
      expect([mode & 0o7777, uid, gid]).toEqual([0o660, 0, 0]);
    } finally {
      await other.remove();
    }
  });
});

describe("what the daemon keeps", () => {
  const walk = (directory: string): string[] =>
    fs.readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const file = path.join(directory, entry.name);
      return entry.isDirectory() ? [file, ...walk(file)] : [file];
    });

  test("can be listed by nobody else: its directories are 0700, or 0711 where others must pass", () => {
    const mode = (directory: string) => fs.statSync(directory).mode & 0o7777;
    for (const directory of [daemon.root, daemon.state])
      expect([directory, mode(directory)]).toEqual([directory, 0o711]);
    for (const directory of [daemon.root, daemon.state].flatMap((each) => fs.globSync(`${each}/*/`))) {
      expect([directory, [0o700, 0o711].includes(mode(directory))]).toEqual([directory, true]);
    }
  });

  test("can be read by nobody else", () => {
    const bundle = path.join(daemon.state, "containers", container);
    const isOwn = (file: string) => !file.startsWith(`${bundle}/rootfs/`) && fs.lstatSync(file).isFile();
    const records = walk(daemon.state).filter(isOwn);
    expect(records.some((file) => fs.readFileSync(file).includes("hush"))).toBe(true);
    const readable = as(
      { uid: nobody, gid: group },
      `cat ${records.map((file) => `'${file}'`).join(" ")} 2> /dev/null`,
    );
    expect(readable).not.toMatch(/hush|"version"|sandboxId/);
    const listed = as({ uid: nobody, gid: group }, `ls ${daemon.root} ${daemon.state} ${daemon.state}/containers`);
    expect(listed.match(/Permission denied/g)).toHaveLength(3);
    // one who knows the way does not get at files of images and containers either
    const [blob] = fs.readdirSync(path.join(daemon.root, "content/blobs/sha256"));
    for (const file of [
      path.join(daemon.root, "content/blobs/sha256", blob!),
      path.join(bundle, "config.json"),
      path.join(bundle, "attach"),
      path.join(bundle, "ctl"),
    ])
      expect(as({ uid: nobody, gid: group }, `head -c 1 < '${file}'`)).toMatch(/Permission denied|No such device/);
  });

  test("is as tight for a pod's log, but for its directory, which is the kubelet's to close", async () => {
    expect(fs.statSync((await statusOf(container)).logPath).mode & 0o007).toBe(0);
  });
});

describe("the streaming server", () => {
  const urlOf = async () => (await client.runtime("Exec", { containerId: container, cmd: ["true"], stdout: true })).url;
  const ask = (url: string, headers: Record<string, string>) =>
    new Promise<number>((resolve, reject) => {
      const request = http.request(url, { agent: false, headers });
      request.on("upgrade", (response, socket) => {
        socket.destroy();
        resolve(response.statusCode!);
      });
      request.on("response", (response) => resolve(response.statusCode!));
      request.on("error", reject).end();
    });
  const webSocket = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": "v5.channel.k8s.io",
  };

  test("listens on the loopback alone, and so does nothing else of the daemon", async () => {
    const { port } = new URL(await urlOf());
    const inodes = fs.readdirSync(`/proc/${daemon.child!.pid}/fd`).flatMap((fd) => {
      try {
        const link = fs.readlinkSync(`/proc/${daemon.child!.pid}/fd/${fd}`);
        return /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? [];
      } catch {
        return [];
      }
    });
    const listening = ["tcp", "tcp6"].flatMap((table) =>
      fs
        .readFileSync(`/proc/${daemon.child!.pid}/net/${table}`, "utf8")
        .split("\n")
        .map((line) => line.trim().split(/\s+/))
        .filter(([, , , state, , , , , , inode]) => state === "0A" && inodes.includes(inode!))
        .map(([, local]) => local),
    );
    const hex = Number(port).toString(16).toUpperCase().padStart(4, "0");
    expect(listening).toEqual([`0100007F:${hex}`]);
  });

  test("has no socket in the abstract namespace, nor have the monitors", () => {
    const names = fs.readFileSync(`/proc/${daemon.child!.pid}/net/unix`, "utf8");
    expect(names).toContain(daemon.socket);
    expect(names).not.toMatch(new RegExp(` @[^\\n]*(${container}|${path.basename(daemon.directory)})`));
  });

  test("takes each token once, for its own container's request, and no page of a browser's", async () => {
    const url = await urlOf();
    expect(await ask(url, { ...webSocket, origin: "http://localhost" })).toBe(403);
    expect(await ask(url, { ...webSocket, origin: "null" })).toBe(403);
    expect(await ask(url, webSocket)).toBe(101);
    expect(await ask(url, webSocket)).toBe(404);
    const attach = await client.runtime("Attach", { containerId: container, stdout: true });
    const token = attach.url.split("/").at(-1)!;
    expect(await ask((await urlOf()).replace(/[^/]+$/, token), webSocket)).toBe(404);
    // it has been seen by somebody who should not have it
    expect(await ask(attach.url, webSocket)).toBe(404);
    expect(
      await ask(
        (await urlOf()).replace(/.$/, (last) => (last === "A" ? "B" : "A")),
        webSocket,
      ),
    ).toBe(404);
  });
});

test("the daemon starts and runs containers without CAP_SYS_RESOURCE", async () => {
  const other = testDaemon({ registry: registry.url });
  const program = path.join(other.directory, "berth");
  const berth = path.join(__dirname, "../../bin/berth");
  const without = "setpriv --bounding-set -sys_resource --inh-caps -sys_resource";
  fs.writeFileSync(program, `#!/bin/sh\nexec ${without} ${berth} "$@"\n`, { mode: 0o755 });
  const calls = podCalls(() => ({ client: second, daemon: other, image }));
  const second = new Client(other.socket);
  try {
    await Object.assign(other, { program }).start();
    const caps = fs.readFileSync(`/proc/${other.child!.pid}/status`, "utf8");
    expect(BigInt(`0x${/CapEff:\t(\w+)/.exec(caps)![1]}`) & (1n << 24n)).toBe(0n);
    await second.image("PullImage", { image: { image } });
    const own = Number(fs.readFileSync(`/proc/${other.child!.pid}/oom_score_adj`, "utf8"));
    const resources = { oomScoreAdj: BigInt(own - 5) };
    const id = await calls.runContainer(await calls.runPod(), { linux: { resources } });
    expect(await calls.inside(id, "cat /proc/1/oom_score_adj")).toBe(String(own));
    await calls.removePods();
  } finally {
    second.close();
    await other.remove();
  }
});

test("the unit hides no mounts from the kubelet, and has nothing that containers would inherit", () => {
  const unit = fs.readFileSync(path.join(__dirname, "../../manifests/systemd/berth.service"), "utf8");
  const settings = [...unit.matchAll(/^(\w+)=/gm)].map(([, name]) => name!);
  const inherited =
    /^(NoNewPrivileges|CapabilityBoundingSet|AmbientCapabilities|SecureBits|SystemCall|Restrict|LockPersonality|MemoryDenyWriteExecute|UMask|Personality|AppArmorProfile|SELinuxContext|Protect|Private|ReadOnlyPaths|ReadWritePaths|InaccessiblePaths|ExecPaths|NoExecPaths|Bind|Temporary|Root|MountFlags|DynamicUser|ProcSubset)/;
  expect(settings.filter((name) => inherited.test(name))).toEqual([]);
  expect(unit).toMatch(/^DevicePolicy=closed$/m);
  expect(unit).toMatch(/^KillMode=process$/m);
});
