import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Client } from "../../cri/client/client";
import { detectCgroups } from "../../sys/cgroups";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { ended, runPod } from "../support/test-pod";
import { type TestRegistry, testRegistry } from "../support/registry";
import { uniqueId } from "../support/unique";

/** cgroup v2 with the cgroupfs driver: Berth makes the pods' parents itself. */
const { version, unified: mount = "" } = detectCgroups();
if (version !== "v2") console.warn("the tests of cgroup v2 are skipped: cgroups are not version 2 here");

(version === "v2" ? describe : describe.skip)("cgroupfs with cgroup v2", () => {
  let registry: TestRegistry;
  let daemon: TestDaemon;
  let client: Client;
  let image = "";

  beforeAll(async () => {
    registry = await testRegistry();
    image = await registry.push("test/busybox", busyboxImage());
    daemon = await startDaemon({ registry: registry.url, options: { runtime: { cgroup_driver: "cgroupfs" } } });
    client = new Client(daemon.socket);
    await client.image("PullImage", { image: { image } });
  }, 120_000);

  afterAll(async () => {
    client?.close();
    await daemon?.remove();
    await registry?.stop();
  }, 60_000);

  test.each(["crun", "runc"])(
    "by %s a container is limited, counted, killed for its memory, and leaves nothing",
    async (handler) => {
      const top = `/berth-v2-${uniqueId()}`;
      const parent = `${top}/pod`;
      const pod = await runPod(client, { name: handler, image, handler, linux: { cgroupParent: parent } });
      const resources = {
        memoryLimitInBytes: BigInt(32 << 20),
        cpuPeriod: 100_000n,
        cpuQuota: 50_000n,
        unified: { "memory.high": String(24 << 20) },
      };
      const id = await pod.run("limited", ["sleep", "1000"], { resources });
      const file = (name: string) => fs.readFileSync(path.join(mount, parent, id, name), "utf8").trim();
      expect(file("memory.max")).toBe(String(32 << 20));
      expect(file("memory.swap.max")).toBe("0");
      expect(file("memory.high")).toBe(String(24 << 20));
      expect(file("cpu.max")).toBe("50000 100000");
      const linux = { memoryLimitInBytes: BigInt(48 << 20), unified: { "memory.high": "max" } };
      await client.runtime("UpdateContainerResources", { containerId: id, linux });
      expect([file("memory.max"), file("memory.high")]).toEqual([String(48 << 20), "max"]);
      const { stats } = await client.runtime("ContainerStats", { containerId: id });
      expect(stats!.memory!.availableBytes!.value + stats!.memory!.workingSetBytes!.value).toBe(BigInt(48 << 20));

      const command = ["sh", "-c", "x=$(head -c 200000000 /dev/zero | tr '\\0' x)"];
      const hog = await pod.run("hog", command, { resources: { memoryLimitInBytes: BigInt(16 << 20) } });
      expect(await ended(client, hog)).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
      await client.runtime("RemovePodSandbox", { podSandboxId: pod.id });
      expect(fs.existsSync(path.join(mount, top))).toBe(false);
    },
    90_000,
  );
});
