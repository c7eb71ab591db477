import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { ContainerState } from "../../api/messages";
import type { Client } from "../../cri/client/client";
import { detectCgroups } from "../../sys/cgroups";
import { readMountInfo } from "../../sys/mount-info";
import { identify, isAlive } from "../../sys/process-identity";
import type { TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { eventually, podCalls } from "../support/pods";
import type { TestRegistry } from "../support/registry";
import { testNode } from "../support/test-node";

jest.setTimeout(60_000);

/** What a start takes away: that which belongs to no pod. */
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

const someId = () => randomBytes(32).toString("hex");
const at = (...names: string[]) => path.join(daemon.state, ...names);
const mountsOf = (id: string) => readMountInfo().filter(({ mountPoint }) => mountPoint.includes(id));
const cgroupsOf = (id: string) => {
  const { unified, controllers } = detectCgroups();
  return [...new Set([...controllers.values(), ...(unified ? [unified] : [])])].map((each) =>
    path.join(each, "berth", id),
  );
};

/** Each makes something of an object that no record speaks of, and gives what tells whether it is still there. */
const leave: Record<string, (id: string) => () => boolean> = {
  "a mount below the state"(id) {
    const point = at("sandboxes", id, "shm");
    fs.mkdirSync(point, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", point]);
    return () => mountsOf(id).length > 0 || fs.existsSync(path.dirname(point));
  },
  "a mount below the state, outside of all that is known"(id) {
    const point = at("elsewhere", id);
    fs.mkdirSync(point, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", point]);
    return () => mountsOf(id).length > 0;
  },
  "a mount below the root"(id) {
    const point = path.join(daemon.root, "snapshots", id, "merged");
    fs.mkdirSync(point, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", point]);
    return () => mountsOf(id).length > 0 || fs.existsSync(path.dirname(point));
  },
  "a pinned namespace"(id) {
    const file = at("sandboxes", id, "ns", "net");
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, "");
    execFileSync("unshare", ["--net", "sh", "-c", `mount --bind /proc/$$/ns/net ${file}`]);
    return () => mountsOf(id).length > 0 || fs.existsSync(file);
  },
  "a monitor"(id) {
    const like = ["-e", "setTimeout(() => {}, 60000)", "--", "--exit-dir", at("exits"), "-c", id];
    const monitor = spawn(process.execPath, like, { argv0: "conmon", stdio: "ignore" });
    const identity = identify(monitor.pid!)!;
    return () => isAlive(identity);
  },
  "a runtime's record"(id) {
    const record = at("runtimes", "crun", id);
    fs.mkdirSync(record);
    fs.writeFileSync(path.join(record, "status"), "{");
    return () => fs.existsSync(record);
  },
  "an exit file"(id) {
    const file = at("exits", id);
    fs.writeFileSync(file, "0");
    return () => fs.existsSync(file);
  },
  "a snapshot"(id) {
    const directory = path.join(daemon.root, "snapshots", id);
    fs.mkdirSync(path.join(directory, "upper"), { recursive: true });
    fs.writeFileSync(path.join(directory, "layers.json"), '{"version":1,"chainIds":[]}');
    return () => fs.existsSync(directory);
  },
  "a snapshot that is not whole"(id) {
    const directory = path.join(daemon.root, "snapshots", id);
    fs.mkdirSync(path.join(directory, "work/work"), { recursive: true });
    return () => fs.existsSync(directory);
  },
  "a volume"(id) {
    const directory = path.join(daemon.root, "volumes", id);
    fs.mkdirSync(path.join(directory, "0"), { recursive: true });
    return () => fs.existsSync(directory);
  },
  "a container's directory"(id) {
    const directory = at("containers", id);
    fs.mkdirSync(path.join(directory, "rootfs"), { recursive: true });
    return () => fs.existsSync(directory);
  },
  "a container's cgroup with a process in it"(id) {
    const child = spawn("sleep", ["60"], { stdio: "ignore" });
    const identity = identify(child.pid!)!;
    for (const directory of cgroupsOf(id)) {
      if (!fs.existsSync(path.dirname(path.dirname(directory)))) continue;
      fs.mkdirSync(directory, { recursive: true });
      for (const name of ["cpuset.cpus", "cpuset.mems"]) {
        const [own, parent] = [directory, path.dirname(directory)].map((each) => path.join(each, name));
        if (fs.existsSync(own!)) fs.writeFileSync(own!, fs.readFileSync(parent!));
      }
      fs.writeFileSync(path.join(directory, "cgroup.procs"), String(child.pid));
    }
    fs.writeFileSync(at("exits", id), "0");
    return () => isAlive(identity) || cgroupsOf(id).some((each) => fs.existsSync(each));
  },
  "an attachment to a network"(id) {
    const cache = path.join(daemon.directory, "cni-cache");
    const [known = ""] = fs.readdirSync(cache).filter((name) => name.endsWith(".json"));
    const text = fs.readFileSync(path.join(cache, known), "utf8");
    fs.writeFileSync(path.join(cache, `${id}.json`), text.replaceAll(known.replace(".json", ""), id));
    const address = path.join(daemon.ipamDir, daemon.network, `${daemon.subnet}.250`);
    fs.writeFileSync(address, `${id}\r\neth0`);
    return () => fs.existsSync(path.join(cache, `${id}.json`)) || fs.existsSync(address);
  },
};

describe("a start", () => {
  let container = "";
  let pod = "";
  const ids = new Map(Object.keys(leave).map((name) => [name, someId()]));
  const isThere = new Map<string, () => boolean>();
  const temporaries = () => [
    at("exits", `${"a".repeat(64)}.tmp-1`),
    at(`format.json.tmp-${"a".repeat(12)}`),
    at("sandboxes", pod, `sandbox.json.tmp-${"a".repeat(12)}`),
    at("containers", container, `container.json.tmp-${"a".repeat(12)}`),
    at("containers", container, `exec-${"a".repeat(12)}.json`),
    at("containers", container, `update-${"a".repeat(12)}.json`),
    path.join(daemon.root, "images", `x.json.tmp-${"a".repeat(12)}`),
    path.join(daemon.root, "content/ingest", "half"),
    path.join(daemon.directory, "cni-cache", `x.json.tmp-${"a".repeat(12)}`),
  ];

  beforeAll(async () => {
    pod = await runPod();
    container = await runContainer(pod);
    await daemon.kill();
    for (const [name, id] of ids) isThere.set(name, leave[name]!(id));
    for (const file of temporaries()) fs.writeFileSync(file, "{");
    await daemon.start();
  }, 60_000);

  test.each(Object.keys(leave))("takes away %s of nobody, and says so", async (name) => {
    expect(await eventually(isThere.get(name)!, (there) => !there)).toBe(false);
    expect(daemon.readLog()).toContain(ids.get(name)!);
  });

  test("takes away files that were not finished", () => {
    expect(temporaries().filter((file) => fs.existsSync(file))).toEqual([]);
  });

  test("leaves what runs as it is, and nothing else that has its directory", async () => {
    expect((await statusOf(container)).state).toBe(ContainerState.CONTAINER_RUNNING);
    expect(await inside(container, "echo here")).toBe("here");
    expect((await podStatusOf(pod)).network!.ip).toContain(daemon.subnet);
    expect(fs.readdirSync(at("containers"))).toEqual([container]);
    expect(fs.readdirSync(at("sandboxes"))).toEqual([pod]);
    expect(daemon.allocatedAddresses()).toHaveLength(1);
    await removePods();
    fs.rmSync(at("elsewhere"), { recursive: true });
  });
});

test("after a reboot there is no pod, no address, no writable layer and no volume, and images are there", async () => {
  const withVolume = await registry.push("test/volume", busyboxImage({ Volumes: { "/data": {} } }));
  await client.image("PullImage", { image: { image: withVolume } });
  const pod = await runPod();
  const mounts = [{ containerPath: "/image", image: { image }, readonly: true }];
  const config = { image: { image: withVolume }, mounts };
  const container = await runContainer(pod, config);
  await createContainer(pod);
  await inside(container, "echo kept > /data/file; echo written > /file");
  const idOf = async () => (await client.image("ListImages", {})).images.map(({ id }) => id);
  const images = await idOf();
  await daemon.reboot();
  expect(daemon.allocatedAddresses()).toHaveLength(1);
  expect(fs.globSync(`${daemon.root}/{snapshots,volumes}/*`)).toHaveLength(3);
  await daemon.start();
  expect((await client.runtime("ListPodSandbox", {})).items).toEqual([]);
  expect((await client.runtime("ListContainers", {})).containers).toEqual([]);
  expect(daemon.allocatedAddresses()).toEqual([]);
  expect(fs.globSync([`${daemon.root}/{snapshots,volumes}/*`, `${daemon.root}/snapshots/.views/*`])).toEqual([]);
  expect(fs.globSync(`${daemon.directory}/cni-cache/{*.json,running/*}`)).toEqual([]);
  expect(await idOf()).toEqual(images);
  const again = await runContainer(await runPod(), config);
  expect(await inside(again, "ls /image/bin/sh; cat /data/file /file 2>&1 | wc -l")).toBe("/image/bin/sh\n2");
  await removePods();
});

test("a state on a disk, which a reboot does not empty, is forgotten after one", async () => {
  await createContainer(await runPod());
  await daemon.reboot({ stateOnDisk: true });
  const mark = at("format.json");
  const boot = "00000000-0000-0000-0000-000000000000";
  fs.writeFileSync(mark, JSON.stringify({ ...JSON.parse(fs.readFileSync(mark, "utf8")), boot }));
  await daemon.start();
  expect((await client.runtime("ListPodSandbox", {})).items).toEqual([]);
  expect(fs.globSync(at("{sandboxes,containers,exits}/*"))).toEqual([]);
  expect(daemon.allocatedAddresses()).toEqual([]);
  expect(daemon.readLog()).toContain("of an earlier boot and is forgotten");
  const container = await runContainer(await runPod());
  expect((await processesOf(container)).pid).toBeGreaterThan(1);
  // it is of this boot now
  await daemon.kill();
  await daemon.start();
  expect((await statusOf(container)).state).toBe(ContainerState.CONTAINER_RUNNING);
  await removePods();
});
