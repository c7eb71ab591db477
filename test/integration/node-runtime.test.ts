import fs from "node:fs";
import path from "node:path";
import { loadConfig } from "../../api/config/load";
import { Client } from "../../cri/client/client";
import { purge } from "../../cri/node/purge";
import { connectRuntime } from "../../cri/node/runtime";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage, ociArchive } from "../support/images";
import { runPod } from "../support/test-pod";

jest.setTimeout(120_000);

const IMAGE = "docker.io/library/busybox:latest";
const SLEEPER = ["sh", "-c", 'trap "exit 7" TERM; while :; do sleep 0.1; done'];

describe("what `berth node` does with a runtime and what it has written", () => {
  let daemon: TestDaemon;
  let client: Client;
  const pods = async () => (await client.runtime("ListPodSandbox", {})).items.map(({ metadata }) => metadata!.name);

  beforeAll(async () => {
    daemon = await startDaemon();
    client = new Client(daemon.socket);
    const archive = path.join(daemon.directory, "busybox.tar");
    fs.writeFileSync(archive, ociArchive(IMAGE, busyboxImage()));
    await client.berth("ImportImages", { path: archive, name: "" });
    for (const name of ["one", "two"]) {
      const labels = { "io.kubernetes.pod.uid": name };
      await (await runPod(client, { name, labels, image: IMAGE })).run("main", SLEEPER);
    }
    await (await runPod(client, { name: "by-hand", image: IMAGE })).run("main", SLEEPER);
  });
  afterAll(async () => {
    client?.close();
    await daemon?.remove();
  });

  test("a runtime says who it is, and one that is not there is no error", async () => {
    const there = connectRuntime(daemon.endpoint);
    const gone = connectRuntime(`unix://${daemon.directory}/nobody.sock`);
    expect(await there.version()).toMatch(/^berth:\/\/\d/);
    expect(await gone.version()).toBeUndefined();
    there.close();
    gone.close();
  });

  test("the kubelet's pods end, others go on until all are to end; images stay", async () => {
    const runtime = connectRuntime(daemon.endpoint);
    expect(await runtime.endPods("kubelet")).toBe(2);
    expect(await pods()).toEqual(["by-hand"]);
    expect(await runtime.endPods("kubelet")).toBe(0);
    expect((await client.image("ListImages", {})).images).toHaveLength(1);
    runtime.close();
  });

  test("purge() refuses while a daemon runs or a pod is there, and then leaves nothing", async () => {
    const config = loadConfig(daemon.configFile);
    const say = () => {};
    expect(() => purge(config, say)).toThrow(/another berthd .* holds/);
    await daemon.stop();
    expect(() => purge(config, say)).toThrow(/something is mounted on .*: nothing was removed/);

    await daemon.start();
    client.close();
    client = new Client(daemon.socket);
    expect(await pods()).toEqual(["by-hand"]);
    const runtime = connectRuntime(daemon.endpoint);
    expect(await runtime.endPods("all")).toBe(1);
    runtime.close();
    await daemon.stop();
    purge(config, say);
    for (const directory of [config.root, config.state, config.cni.cache_dir]) {
      expect(fs.existsSync(directory)).toBe(false);
    }
    purge(config, say); // a second time there is nothing to do
  });
});
