import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Client } from "../../cri/client/client";
import { Crictl } from "../support/crictl";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";
import { serverStream } from "../support/server-stream";
import { detectCgroups } from "../../sys/cgroups";

/** Stats and metrics by the real crictl, beside the cgroup files and loads of known size. */
let registry: TestRegistry;
let daemon: TestDaemon;
let crictl: Crictl;
let image = "";
let pod = "";
let idle = "";
let busy = "";
let memory = "";
let exited = "";

const memoryBytes = 50 << 20;
const uid = "3f1a4a58-6f0c-4d6e-9d5a-b1c2d3e4f506";
/** As the kubelet names a pod's cgroup. */
const podCgroup = `/berth-stats-${process.pid}/pod${uid}`;

interface Value {
  value: string;
}
interface Stats {
  attributes: { id: string; metadata: { name: string }; labels: Record<string, string> };
  cpu?: { usageCoreNanoSeconds: Value; usageNanoCores: Value; psi?: { Some: { Total: string } } };
  memory: Record<"workingSetBytes" | "usageBytes" | "rssBytes" | "pageFaults", Value> & {
    availableBytes?: Value;
  };
  writableLayer: { usedBytes: Value; inodesUsed: Value; fsId: { mountpoint: string } };
  swap: { swapUsageBytes: Value };
}

async function run(name: string, command: string[], options: object = {}): Promise<string> {
  const config = crictl.file(`${name}.json`, {
    metadata: { name, attempt: 0 },
    image: { image },
    command,
    labels: { load: name },
    linux: {},
    ...options,
  });
  const sandbox = crictl.file("unused.json", { metadata: { name: "unused", namespace: "default", uid: "unused" } });
  const id = await crictl.run("create", "--no-pull", pod, config, sandbox);
  await crictl.run("start", id);
  return id;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  daemon = await startDaemon({ registry: registry.url });
  crictl = new Crictl(daemon);
  await crictl.run("pull", image);
  const config = { metadata: { name: "loaded", namespace: "default", uid, attempt: 0 }, labels: { pod: "loaded" } };
  pod = await crictl.run("runp", crictl.file("loaded.json", { ...config, linux: { cgroup_parent: podCgroup } }));
  idle = await run("idle", ["sleep", "1000"]);
  busy = await run("busy", ["sh", "-c", "while :; do :; done"]);
  // a variable of 50 MiB is anonymous memory; the shell stays for the last command
  const fill = `x=$(head -c ${memoryBytes} /dev/zero | tr '\\0' x); sleep 1000; :`;
  memory = await run("memory", ["sh", "-c", fill], {
    linux: { resources: { memory_limit_in_bytes: 400 << 20 } },
  });
  exited = await run("exited", ["sh", "-c", "head -c 3000000 /dev/zero > /written"]);
  await sleep(2000);
}, 90_000);

afterAll(async () => {
  await daemon?.remove();
  await registry?.stop();
  for (const mount of new Set([...detectCgroups().controllers.values(), detectCgroups().unified ?? ""])) {
    for (const directory of [podCgroup, path.dirname(podCgroup)]) {
      try {
        fs.rmdirSync(path.join(mount, directory));
      } catch {
        // gone with the pod
      }
    }
  }
}, 60_000);

const cgroupFile = (id: string, controller: string, file: string) => {
  const { controllers, unified } = detectCgroups();
  const mount = controllers.get(controller) ?? unified!;
  return fs.readFileSync(path.join(mount, podCgroup, id, file), "utf8");
};

describe("stats of containers", () => {
  test("the first question already tells how much CPU is used", async () => {
    const client = new Client(daemon.socket);
    try {
      const { stats } = await client.runtime("ContainerStats", { containerId: busy });
      expect(Number(stats!.cpu!.usageNanoCores!.value)).toBeGreaterThan(0);
      expect(Number(stats!.cpu!.usageNanoCores!.value)).toBeLessThan(1.3e9);
    } finally {
      client.close();
    }
  });

  test("stats shows what a busy loop gets of a core, none for a sleeper", async () => {
    await sleep(1500);
    const { stats } = await crictl.json<{ stats: Stats[] }>("stats");
    const of = (id: string) => stats.find(({ attributes }) => attributes.id === id)!;
    expect(Number(of(busy).cpu!.usageNanoCores.value)).toBeGreaterThan(0);
    expect(Number(of(busy).cpu!.usageNanoCores.value)).toBeLessThan(1.2e9);
    expect(Number(of(idle).cpu!.usageNanoCores.value)).toBeLessThan(Number(of(busy).cpu!.usageNanoCores.value));
    expect(of(busy).attributes).toMatchObject({ metadata: { name: "busy" }, labels: { load: "busy" } });
  });

  test("the numbers are the kernel's", async () => {
    const { controllers } = detectCgroups();
    const { stats } = await crictl.json<{ stats: Stats[] }>("stats", "--id", memory);
    const { memory: told, cpu } = stats[0]!;
    expect(stats).toHaveLength(1);
    expect(Number(told.rssBytes.value)).toBeGreaterThan(memoryBytes);
    expect(Number(told.rssBytes.value)).toBeLessThan(memoryBytes * 4);
    const usage = Number(cgroupFile(memory, "memory", controllers.size ? "memory.usage_in_bytes" : "memory.current"));
    expect(Math.abs(Number(told.usageBytes.value) - usage)).toBeLessThan(4 << 20);
    expect(Number(told.availableBytes!.value) + Number(told.workingSetBytes.value)).toBe(400 << 20);
    expect(Number(told.pageFaults.value)).toBeGreaterThan(memoryBytes / 4096);
    if (controllers.size) {
      const usageNs = BigInt(cgroupFile(memory, "cpuacct", "cpuacct.usage"));
      expect(usageNs - BigInt(cpu!.usageCoreNanoSeconds.value)).toBeLessThan(100_000_000n);
    }
  });

  test("pressure is told where the kernel has it, and not made up where it has not", async () => {
    const { unified = "" } = detectCgroups();
    const { stats } = await crictl.json<{ stats: Stats[] }>("stats", "--id", busy);
    if (fs.existsSync(path.join(unified, podCgroup, busy, "cpu.pressure"))) {
      expect(Number(stats[0]!.cpu!.psi!.Some.Total)).toBeGreaterThan(0);
    } else expect(stats[0]!.cpu!.psi).toBeUndefined();
  });

  test("one without a limit has no word on what is available", async () => {
    const { stats } = await crictl.json<{ stats: Stats[] }>("stats", "--id", idle);
    expect(stats[0]!.memory.availableBytes).toBeUndefined();
  });

  test("one that has ended tells what it has written, and nothing else", async () => {
    const { stats } = await crictl.json<{ stats: Stats[] }>("stats", "--all", "--id", exited);
    expect(stats).toHaveLength(1);
    expect(stats[0]!.cpu).toBeUndefined();
    expect(Number(stats[0]!.writableLayer.usedBytes.value)).toBeGreaterThanOrEqual(3_000_000);
    expect(Number(stats[0]!.writableLayer.usedBytes.value)).toBeLessThan(3_200_000);
    expect(stats[0]!.writableLayer.fsId.mountpoint).toBe(daemon.root);
    const fs = await crictl.json<{ status: { containerFilesystems: { fsId: { mountpoint: string } }[] } }>(
      "imagefsinfo",
    );
    expect(fs.status.containerFilesystems[0]!.fsId.mountpoint).toBe(stats[0]!.writableLayer.fsId.mountpoint);
  });

  test("filters hold, and what is not there is NotFound", async () => {
    const client = new Client(daemon.socket);
    try {
      const ids = async (filter: object) =>
        (await client.runtime("ListContainerStats", { filter })).stats.map(({ attributes }) => attributes!.id);
      expect(await ids({ labelSelector: { load: "busy" } })).toEqual([busy]);
      expect(await ids({ podSandboxId: pod })).toHaveLength(4);
      expect(await ids({ id: idle.slice(0, 13) })).toEqual([idle]);
      expect(await ids({ id: "f".repeat(64) })).toEqual([]);
      expect(await ids({ podSandboxId: "f".repeat(64) })).toEqual([]);
      await expect(client.runtime("ContainerStats", { containerId: "f".repeat(64) })).rejects.toThrow("not found");
      await expect(client.runtime("PodSandboxStats", { podSandboxId: "f".repeat(64) })).rejects.toThrow("not found");
    } finally {
      client.close();
    }
  });
});

describe("stats of pods", () => {
  interface PodStats {
    attributes: { id: string };
    linux: {
      cpu: { usageNanoCores: Value };
      memory: { workingSetBytes: Value; rssBytes: Value };
      network: { defaultInterface: { name: string; rxBytes: Value; txBytes: Value }; interfaces: { name: string }[] };
      process: { processCount: Value };
      containers: Stats[];
    };
  }

  test("statsp has the pod's cgroup, network, processes and containers", async () => {
    const { stats } = await crictl.json<{ stats: PodStats[] }>("statsp", "--id", pod);
    const { linux } = stats[0]!;
    expect(Number(linux.cpu.usageNanoCores.value)).toBeGreaterThan(0);
    expect(Number(linux.cpu.usageNanoCores.value)).toBeLessThan(1.4e9);
    expect(Number(linux.memory.rssBytes.value)).toBeGreaterThan(memoryBytes);
    expect(linux.containers.map(({ attributes }) => attributes.id).sort()).toEqual([idle, busy, memory, exited].sort());
    // sleep, sh, and sh with its sleep
    expect(Number(linux.process.processCount.value)).toBe(4);
    expect(linux.network.defaultInterface.name).toBe("eth0");
    expect(linux.network.interfaces.map(({ name }) => name)).toEqual(["eth0"]);
  });

  test("the network counts what goes through it", async () => {
    const sent = async () => {
      const { stats } = await crictl.json<{ stats: PodStats[] }>("statsp", "--id", pod);
      return Number(stats[0]!.linux.network.defaultInterface.txBytes.value);
    };
    const before = await sent();
    await crictl.try("exec", "-s", idle, "ping", "-c", "3", "-s", "1000", `${daemon.subnet}.1`);
    expect((await sent()) - before).toBeGreaterThanOrEqual(3000);
  });

  test("a pod without a cgroup of its own is the sum of its containers; a stopped one is not listed", async () => {
    const metadata = { name: "summed", namespace: "default", uid: "u-summed", attempt: 0 };
    const other = await crictl.run("runp", crictl.file("summed.json", { metadata, linux: {} }));
    const kept = pod;
    pod = other;
    const spinning = await run("spinning", ["sh", "-c", "while :; do :; done"]);
    await run("sleeping", ["sleep", "1000"]);
    pod = kept;
    await sleep(1500);
    const { stats } = await crictl.json<{ stats: PodStats[] }>("statsp", "--id", other);
    const { linux } = stats[0]!;
    const one = linux.containers.find(({ attributes }) => attributes.id === spinning)!;
    expect(Number(linux.cpu.usageNanoCores.value)).toBeGreaterThanOrEqual(Number(one.cpu!.usageNanoCores.value));
    expect(Number(linux.cpu.usageNanoCores.value)).toBeGreaterThan(0);
    expect(Number(linux.process.processCount.value)).toBe(2);
    await crictl.run("stopp", other);
    const listed = await crictl.json<{ stats: PodStats[] }>("statsp");
    expect(listed.stats.map(({ attributes }) => attributes.id)).toEqual([pod]);
    await crictl.run("rmp", "-f", other);
  });
});

describe("lists as streams", () => {
  async function all(service: "RuntimeService" | "ImageService", method: string, request: object = {}) {
    const messages: object[] = [];
    for await (const message of serverStream({ socket: daemon.socket, service, method, request }))
      messages.push(message);
    return messages;
  }
  const items = (messages: object[]) => messages.flatMap((message) => Object.values(message)[0] as object[]);

  test("each gives what its list gives, once, and ends", async () => {
    const ids = async (name: string, request?: object) =>
      items(await all("RuntimeService", name, request)).map((each) => {
        const { id, podSandboxId, attributes } = each as {
          id?: string;
          podSandboxId?: string;
          attributes?: { id: string };
        };
        return id ?? podSandboxId ?? attributes!.id;
      });
    expect(await ids("StreamPodSandboxes")).toEqual([pod]);
    expect((await ids("StreamContainers")).sort()).toEqual([idle, busy, memory, exited].sort());
    expect(await ids("StreamContainers", { filter: { labelSelector: { load: "idle" } } })).toEqual([idle]);
    expect((await ids("StreamContainerStats")).sort()).toEqual([idle, busy, memory, exited].sort());
    expect(await ids("StreamPodSandboxStats")).toEqual([pod]);
    expect(await ids("StreamPodSandboxMetrics")).toEqual([pod]);
    const images = items(await all("ImageService", "StreamImages")) as { repoTags: string[] }[];
    expect(images.map(({ repoTags }) => repoTags)).toEqual([[image]]);
  });

  test("nothing to list is a stream without a message", async () => {
    expect(await all("RuntimeService", "StreamContainers", { filter: { id: "f".repeat(64) } })).toEqual([]);
    expect(await all("RuntimeService", "StreamPodSandboxStats", { filter: { id: "f".repeat(64) } })).toEqual([]);
  });
});

test("checkpoints are refused in words", async () => {
  const client = new Client(daemon.socket);
  try {
    await expect(client.runtime("CheckpointContainer", { containerId: idle })).rejects.toThrow(
      "can't freeze containers",
    );
    await expect(client.runtime("CheckpointPod", { podSandboxId: pod })).rejects.toThrow("can't freeze pods");
    await expect(client.runtime("RestorePod", {})).rejects.toThrow("not implemented");
  } finally {
    client.close();
  }
});

test("a pod's status has its containers, and when they were read", async () => {
  const client = new Client(daemon.socket);
  try {
    const { containersStatuses, timestamp } = await client.runtime("PodSandboxStatus", { podSandboxId: pod });
    expect(containersStatuses.map(({ id }) => id).sort()).toEqual([idle, busy, memory, exited].sort());
    expect(Math.abs(Number(timestamp / 1_000_000n) - Date.now())).toBeLessThan(5000);
  } finally {
    client.close();
  }
});

describe("metrics", () => {
  interface Metric {
    name: string;
    metricType: string;
    labelValues: string[];
    value: Value;
  }
  const descriptors = async () =>
    (await crictl.json<{ descriptors: { name: string; help: string; labelKeys: string[] }[] }>("metricdescs"))
      .descriptors;

  /** Rounded down, as in metrics; how many there are is the machine's affair. */
  async function busySeconds(): Promise<number> {
    const client = new Client(daemon.socket);
    try {
      const { stats } = await client.runtime("ContainerStats", { containerId: busy });
      return Number(stats!.cpu!.usageCoreNanoSeconds!.value / 1_000_000_000n);
    } finally {
      client.close();
    }
  }

  test("every metric has a descriptor with as many labels, and is what the container does", async () => {
    const keys = new Map((await descriptors()).map(({ name, labelKeys }) => [name, labelKeys]));
    const usedBefore = await busySeconds();
    const { podMetrics } = await crictl.json<{
      podMetrics: {
        podSandboxId: string;
        metrics: Metric[];
        containerMetrics: { containerId: string; metrics: Metric[] }[];
      }[];
    }>("metricsp");
    const usedAfter = await busySeconds();
    const mine = podMetrics.find(({ podSandboxId }) => podSandboxId === pod)!;
    const all = [...mine.metrics, ...mine.containerMetrics.flatMap(({ metrics }) => metrics)];
    for (const metric of all)
      expect([metric.name, metric.labelValues.length]).toEqual([metric.name, keys.get(metric.name)?.length]);
    // pressure and huge pages are there where the kernel has them, a quota where one is asked for
    const seen = new Set(all.map(({ name }) => name));
    const missing = [...keys.keys()].filter((name) => !seen.has(name));
    expect(missing.filter((name) => !/pressure|hugetlb|cpu_quota|blkio|fs_(reads|writes)_/.test(name))).toEqual([]);
    expect(mine.containerMetrics.map(({ containerId }) => containerId).sort()).toEqual([idle, busy, memory].sort());
    const of = (id: string, name: string) =>
      mine.containerMetrics.find(({ containerId }) => containerId === id)!.metrics.find((each) => each.name === name)!;
    expect(Number(of(memory, "container_memory_rss").value.value)).toBeGreaterThan(memoryBytes);
    expect(Number(of(memory, "container_spec_memory_limit_bytes").value.value)).toBe(400 << 20);
    const used = Number(of(busy, "container_cpu_usage_seconds_total").value.value);
    expect(used).toBeGreaterThanOrEqual(usedBefore);
    expect(used).toBeLessThanOrEqual(usedAfter);
    expect(Number(of(memory, "container_processes").value.value)).toBe(2);
    expect(Number(of(idle, "container_file_descriptors").value.value)).toBeGreaterThanOrEqual(3);
    const labels = Object.fromEntries(
      keys.get("container_memory_rss")!.map((key, index) => [key, of(busy, "container_memory_rss").labelValues[index]]),
    );
    expect(labels).toMatchObject({ name: busy, pod: "loaded", namespace: "default", container: "busy" });
    expect(labels["id"]).toBe(`${podCgroup}/${busy}`);
  });

  test("descriptors are the same each time, with help and labels", async () => {
    const [first, second] = [await descriptors(), await descriptors()];
    expect(first).toEqual(second);
    expect(new Set(first.map(({ name }) => name)).size).toBe(first.length);
    expect(first.every(({ help, labelKeys }) => help !== "" && labelKeys.length > 0)).toBe(true);
  });
});
