import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { Cluster } from "../../cri/node/cluster";
import { type Host, thisHost } from "../../cri/node/host";
import { type ApiServer, kubectlProgram, missingForApiServer, startApiServer } from "../support/api-server";
import { temporaryDirectory } from "../support/unique";

jest.setTimeout(240_000);

const MANIFESTS = path.join(__dirname, "../../manifests");
const ANNOTATION = "kubeadm.alpha.kubernetes.io/cri-socket";
const missing = missingForApiServer();
if (missing) console.warn(`the tests with a real API server are left out: ${missing} is not there`);

(missing ? describe.skip : describe)("with a real API server", () => {
  const directory = temporaryDirectory();
  let server: ApiServer;
  const kubectl = (args: string[], input?: string) =>
    execFileSync(kubectlProgram, ["--kubeconfig", server.adminConfig, ...args], { encoding: "utf8", input });
  // the project's own kubectl, whatever the machine has
  const host: Host = {
    ...thisHost,
    run: (command, args, options) => thisHost.run(command === "kubectl" ? kubectlProgram : command, args, options),
  };
  const clusterBy = (kubeconfig: string) => new Cluster({ host, node: "node-1", kubeconfig, timeoutMs: 3000 });

  const setRuntime = (name: string, containerRuntimeVersion: string) => {
    const conditions = [{ type: "Ready", status: "True", reason: "KubeletReady" }];
    const patch = JSON.stringify({ status: { nodeInfo: { containerRuntimeVersion }, conditions } });
    kubectl(["patch", "node", name, "--subresource=status", "--type=merge", "--patch", patch]);
  };

  beforeAll(async () => {
    server = await startApiServer(directory, "node-1");
    const nodes = ["node-1", "node-2"].map((name) => ({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, annotations: { [ANNOTATION]: "unix:///run/containerd/containerd.sock" } },
    }));
    kubectl(["create", "--filename=-"], nodes.map((one) => JSON.stringify(one)).join("\n"));
    for (const name of ["node-1", "node-2"]) setRuntime(name, "containerd://2.3.4");
  });
  afterAll(async () => {
    await server?.stop();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  test.each(["runtime-classes.yaml", "installer/daemonset.yaml"])("the API server takes %s as it is", (file) => {
    const args = ["--validate=strict", `--filename=${path.join(MANIFESTS, file)}`];
    // not a dry run: it would not make the namespace that the rest is in
    for (const line of kubectl(["apply", ...args])
      .trim()
      .split("\n"))
      expect(line).toMatch(/ created$/);
    kubectl(["delete", "--wait=false", args[1]!]);
  });

  test("a node is cordoned, annotated and uncordoned by the credentials of its own kubelet", async () => {
    const cluster = clusterBy(server.nodeConfig);
    await cluster.cordon();
    expect((await cluster.get()).spec.unschedulable).toBe(true);
    await cluster.setCriSocket("unix:///run/berth/berth.sock");
    expect(cluster.criSocketOf(await cluster.get())).toBe("unix:///run/berth/berth.sock");
    await cluster.setCriSocket(null);
    expect(cluster.criSocketOf(await cluster.get())).toBeNull();
    await cluster.uncordon();
    expect((await cluster.get()).spec.unschedulable).toBeUndefined();
  });

  test("RuntimeClasses are an administrator's to make", async () => {
    const manifest = fs.readFileSync(path.join(MANIFESTS, "runtime-classes.yaml"), "utf8");
    expect(await clusterBy(server.nodeConfig).apply(manifest)).toBe(false);
    const cluster = clusterBy(server.adminConfig);
    expect(await cluster.apply(manifest)).toBe(true);
    expect(await cluster.runtimeClasses()).toEqual(["crun", "runc"]);
    await cluster.removeRuntimeClasses(["crun", "runc", "never-there"]);
    expect(await cluster.runtimeClasses()).toEqual([]);
  });

  test("a node that has no pods is drained", async () => {
    const cluster = clusterBy(server.adminConfig);
    await cluster.drain();
    expect((await cluster.get()).spec.unschedulable).toBe(true);
    await cluster.uncordon();
  });

  test("the runtime is waited for, and what is seen instead is told", async () => {
    const cluster = clusterBy(server.adminConfig);
    const wanted = (version: string) => version.startsWith("berth://");
    await expect(cluster.waitForRuntime(wanted)).rejects.toThrow(
      /not ready .* runtime containerd:\/\/2\.3\.4, Ready True/,
    );
    setRuntime("node-1", "berth://0.1.0");
    expect(await cluster.waitForRuntime(wanted)).toBe("berth://0.1.0");
    expect(await cluster.runtimesElsewhere()).toEqual(["containerd://2.3.4"]);
  });
});
