import fs from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { ContainerState, NamespaceMode } from "../../api/messages";
import type { Client } from "../../cri/client/client";
import { identify, isAlive } from "../../sys/process-identity";
import { readMountInfo } from "../../sys/mount-info";
import type { TestDaemon } from "../support/daemon";
import { makeImage, makeLayer } from "../support/images";
import { eventually, podCalls } from "../support/pods";
import type { TestRegistry } from "../support/registry";
import { testNode } from "../support/test-node";

jest.setTimeout(60_000);

/** Files of the daemon's that were damaged while it was down: that one object suffers, and the daemon starts. */
let registry: TestRegistry;
let daemon: TestDaemon;
let client: Client;
let image = "";
const pods = podCalls(() => ({ client, daemon, image }));
const { runPod, runContainer, createContainer, statusOf, podStatusOf, inside, processesOf, removePods } = pods;

const node = testNode();
beforeAll(() => {
  ({ registry, daemon, client, image } = node);
});

const at = (...names: string[]) => path.join(daemon.state, ...names);

/** What a file can have become. */
const damages: Record<string, (file: string) => void> = {
  truncated: (file) => fs.truncateSync(file, Math.floor(fs.statSync(file).size / 2)),
  empty: (file) => fs.truncateSync(file),
  garbage: (file) => fs.writeFileSync(file, Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 37) % 256))),
  "of a newer version": (file) => {
    const record = JSON.parse(fs.readFileSync(file, "utf8"));
    fs.writeFileSync(file, JSON.stringify({ ...record, version: record.version + 1 }));
  },
  "JSON of another kind": (file) => fs.writeFileSync(file, "[1]"),
  "without its fields": (file) => {
    const { version, id } = JSON.parse(fs.readFileSync(file, "utf8"));
    fs.writeFileSync(file, JSON.stringify({ version, id }));
  },
  "a directory": (file) => {
    fs.rmSync(file);
    fs.mkdirSync(file);
  },
};
const kinds = Object.keys(damages);
const hostNetwork = { linux: { securityContext: { namespaceOptions: { network: NamespaceMode.NODE } } } };

/** All that has the ID of a pod or a container, wherever it could be. */
const traces = (id: string) => [
  ...fs.globSync(at("{sandboxes,containers,exits,runtimes/*}", id)),
  ...fs.globSync(path.join(daemon.root, "{snapshots,volumes}", id)),
  ...fs.globSync([`/sys/fs/cgroup/*/berth/${id}`, `/sys/fs/cgroup/berth/${id}`]),
  ...readMountInfo().flatMap(({ mountPoint }) => (mountPoint.includes(id) ? [mountPoint] : [])),
];

describe("records", () => {
  const damagedPods = new Map<string, string>();
  const damagedContainers = new Map<string, string>();
  let pod = "";
  let container = "";
  let inDamagedPod = "";

  beforeAll(async () => {
    pod = await runPod();
    container = await runContainer(pod);
    for (const kind of kinds) {
      damagedPods.set(kind, await runPod(kind === "truncated" ? {} : hostNetwork));
      damagedContainers.set(kind, await runContainer(pod));
    }
    inDamagedPod = await runContainer(damagedPods.get("truncated")!);
    await daemon.kill();
    for (const kind of kinds) {
      damages[kind]!(at("sandboxes", damagedPods.get(kind)!, "sandbox.json"));
      damages[kind]!(at("containers", damagedContainers.get(kind)!, "container.json"));
    }
    await daemon.start();
  }, 60_000);

  test.each(kinds)("a sandbox's that is %s: told and set aside, and nothing of the sandbox is left", async (kind) => {
    const id = damagedPods.get(kind)!;
    expect(await podStatusOf(id).catch((error) => error.code)).toBe("NotFound");
    expect(daemon.readLog()).toContain(`a sandbox without a readable record is taken down sandbox=${id} reason=`);
    expect(fs.existsSync(at("damaged", `${id}.sandbox.json`))).toBe(true);
    expect(traces(id)).toEqual([]);
  });

  test.each(kinds)(
    "a container's that is %s: told and set aside, and nothing of the container is left",
    async (kind) => {
      const id = damagedContainers.get(kind)!;
      expect(await statusOf(id).catch((error) => error.code)).toBe("NotFound");
      expect(daemon.readLog()).toContain(`a container without a readable record is taken down container=${id} reason=`);
      expect(fs.existsSync(at("damaged", `${id}.container.json`))).toBe(true);
      expect(
        await eventually(
          () => traces(id),
          (left) => left.length === 0,
        ),
      ).toEqual([]);
    },
  );

  test("containers of a sandbox that is damaged go with it, and all others are as they were", async () => {
    expect(await statusOf(inDamagedPod).catch((error) => error.code)).toBe("NotFound");
    expect(traces(inDamagedPod)).toEqual([]);
    expect((await statusOf(container)).state).toBe(ContainerState.CONTAINER_RUNNING);
    expect(await inside(container, "echo here")).toBe("here");
    expect(daemon.allocatedAddresses()).toHaveLength(1);
    await removePods();
    expect(daemon.allocatedAddresses()).toEqual([]);
  });
});

test("an exit file that makes no sense: the end is not known, and nobody makes one up", async () => {
  const pod = await runPod();
  const texts = ["", "x", "4294967296", "0x7", "\0\0"];
  const ids = await Promise.all(texts.map(() => runContainer(pod)));
  const pids = await Promise.all(ids.map(async (id) => (await processesOf(id)).pid));
  await daemon.kill();
  for (const pid of pids) process.kill(pid, "SIGKILL");
  const exits = () => ids.filter((id) => fs.existsSync(at("exits", id)));
  expect(await eventually(exits, (there) => there.length === ids.length)).toHaveLength(ids.length);
  for (const [index, id] of ids.entries()) fs.writeFileSync(at("exits", id), texts[index]!);
  await daemon.start();
  // a monitor ends right after its file
  for (const id of ids) expect(await pods.exited(id)).toMatchObject({ exitCode: 255, reason: "Unknown" });
  await removePods();
});

test("the monitor's files, the bundle and the runtime's record: what needs them fails, and all of it can be removed", async () => {
  const pod = await runPod();
  const damage: Record<string, (id: string) => void> = {
    "the monitor's number": (id) => fs.writeFileSync(at("containers", id, "conmon.pid"), "x"),
    "the first process's number": (id) => fs.writeFileSync(at("containers", id, "pid"), "1"),
    "the bundle's configuration": (id) => fs.truncateSync(at("containers", id, "config.json"), 10),
    "the runtime's record": (id) => {
      for (const file of fs.globSync(at("runtimes", "*", id, "{status,state.json}"))) fs.truncateSync(file, 5);
    },
    "the runtime's record, gone": (id) => {
      for (const directory of fs.globSync(at("runtimes", "*", id))) fs.rmSync(directory, { recursive: true });
    },
    "the list of layers": (id) => fs.truncateSync(path.join(daemon.root, "snapshots", id, "layers.json")),
  };
  const running = new Map<string, string>();
  const created = new Map<string, string>();
  for (const name of Object.keys(damage)) {
    running.set(name, await runContainer(pod));
    created.set(name, await createContainer(pod));
  }
  const processes = await Promise.all([...running.values()].map(async (id) => identify((await processesOf(id)).pid)!));
  for (const id of running.values()) await inside(id, "echo kept > /kept");
  await daemon.kill();
  for (const [name, spoil] of Object.entries(damage)) for (const of of [running, created]) spoil(of.get(name)!);
  await daemon.start();
  const all = [...running.values(), ...created.values()];
  for (const id of running.values()) {
    expect((await statusOf(id)).state).toBe(ContainerState.CONTAINER_RUNNING);
    // on the disk: what is mounted would show it still
    expect(fs.readdirSync(path.join(daemon.root, "snapshots", id, "upper"))).toContain("kept");
  }
  expect(await inside(running.get("the list of layers")!, "cat /kept")).toBe("kept");
  for (const id of created.values()) await client.runtime("StartContainer", { containerId: id }).catch(() => {});
  expect((await statusOf(created.get("the list of layers")!)).state).toBe(ContainerState.CONTAINER_RUNNING);
  expect((await statusOf(created.get("the runtime's record")!)).reason).toBe("StartError");
  for (const id of running.values()) await client.runtime("StopContainer", { containerId: id, timeout: 0n });
  expect(processes.filter(isAlive)).toEqual([]);
  await removePods();
  expect((await client.runtime("ListContainers", {})).containers).toEqual([]);
  for (const id of all)
    expect(
      await eventually(
        () => traces(id),
        (left) => left.length === 0,
      ),
    ).toEqual([]);
});

describe("files of the root", () => {
  const pushed = async (name: string) => {
    const reference = await registry.push(
      `test/${name}`,
      makeImage({ layers: [makeLayer([{ path: name, body: name }])] }),
    );
    await client.image("PullImage", { image: { image: reference } });
    const [found] = (await client.image("ListImages", { filter: { image: { image: reference } } })).images;
    return { reference, hex: found!.id.slice("sha256:".length) };
  };
  const isThere = async (reference: string) =>
    (await client.image("ImageStatus", { image: { image: reference } })).image !== null;

  test("an image whose record or layer is damaged is told, is not listed, and comes whole by the next pull", async () => {
    const spoiled = new Map<string, { reference: string; hex: string }>();
    for (const kind of ["truncated", "empty", "garbage", "of a newer version", "JSON of another kind"]) {
      spoiled.set(`record ${kind}`, await pushed(`record-${kinds.indexOf(kind)}`));
      spoiled.set(`layer ${kind}`, await pushed(`layer-${kinds.indexOf(kind)}`));
    }
    const images = path.join(daemon.root, "images");
    await daemon.kill();
    for (const [name, { hex }] of spoiled) {
      const [what, ...kind] = name.split(" ");
      const record = path.join(images, `${hex}.json`);
      const { layers } = JSON.parse(fs.readFileSync(record, "utf8"));
      const meta = path.join(daemon.root, "layers", layers[0].chainId.slice("sha256:".length), "meta.json");
      damages[kind.join(" ")]!(what === "record" ? record : meta);
    }
    await daemon.start();
    for (const { reference, hex } of spoiled.values()) {
      expect(await isThere(reference)).toBe(false);
      expect(daemon.readLog()).toContain(`image record ${path.join(images, hex)}.json is set aside`);
      await client.image("PullImage", { image: { image: reference } });
      expect(await isThere(reference)).toBe(true);
    }
    expect(await isThere(image)).toBe(true);
  });

  test("an attachment to a network that is damaged: the address is given back with its pod", async () => {
    const ids = await Promise.all(["truncated", "empty", "garbage", "of a newer version"].map(() => runPod()));
    const cache = path.join(daemon.directory, "cni-cache");
    const gone = await runPod();
    await daemon.kill();
    for (const [index, kind] of ["truncated", "empty", "garbage", "of a newer version"].entries())
      damages[kind]!(path.join(cache, `${ids[index]}.json`));
    damages["garbage"]!(path.join(cache, `${gone}.json`));
    damages["garbage"]!(at("sandboxes", gone, "sandbox.json"));
    await daemon.start();
    expect(daemon.allocatedAddresses()).toHaveLength(ids.length);
    await removePods();
    expect(daemon.allocatedAddresses()).toEqual([]);
    const said = daemon.readLog();
    for (const id of [...ids, gone]) {
      expect(said).toContain(`CNI attachment of sandbox ${id}`);
      expect(fs.existsSync(path.join(cache, `${id}.json.damaged`))).toBe(true);
    }
  });

  test("locks and marks with rubbish in them do not keep it from starting", async () => {
    const container = await runContainer(await runPod());
    await daemon.kill();
    for (const directory of [daemon.root, daemon.state]) {
      fs.writeFileSync(path.join(directory, "lock"), Buffer.alloc(4096, 0xff));
      fs.writeFileSync(path.join(directory, "format.json"), "{");
    }
    fs.writeFileSync(path.join(daemon.root, "snapshots/.views", "a".repeat(64)), "{");
    fs.rmSync(daemon.socket);
    fs.mkdirSync(path.join(daemon.root, "layers", "rubbish"));
    fs.writeFileSync(path.join(daemon.root, "content/blobs/sha256/rubbish"), "");
    await daemon.start();
    expect(await inside(container, "echo here")).toBe("here");
    expect(daemon.readLog().match(/format\.json can't be read and is written anew/g)).toHaveLength(2);
    await removePods();
  });
});
