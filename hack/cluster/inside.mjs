// The node itself: runs in its own namespaces (hack/cluster.mjs makes them), starts everything, and then a command.
// Nothing is stopped here: it all ends with the namespaces.
// usage: inside.mjs OPTIONS_AS_JSON COMMAND...
import { spawn } from "node:child_process";
import path from "node:path";
import { startRegistry } from "../support/registry.cjs";
import { startAddons, waitForCluster } from "./addons.mjs";
import { startBerth } from "./berth.mjs";
import { makeCertificates } from "./certificates.mjs";
import { countingCgroups } from "./cgroups.mjs";
import { startContainerd } from "./containerd.mjs";
import { startControlPlane } from "./control-plane.mjs";
import { mountNode } from "./filesystem.mjs";
import { pushClusterImages } from "./images.mjs";
import { startKubelet } from "./kubelet.mjs";
import { startLogind } from "./logind.mjs";
import { connectNode } from "./network.mjs";
import { FILES, PROJECT } from "./node.cjs";

const [options, ...command] = process.argv.slice(2);
const { directory, cgroup, standalone, runtime, handler, "default-gates": defaultGates } = JSON.parse(options);
const began = Date.now();
const step = (text) => console.error(`cluster: ${((Date.now() - began) / 1000).toFixed(1)} s: ${text}`);

mountNode(directory);
connectNode();
step("a node of its own");

const registry = await startRegistry("/run/registry");
await pushClusterImages(registry.url);
step("a registry with the images");

const startRuntime = { berth: startBerth, containerd: startContainerd }[runtime];
const endpoint = await startRuntime({
  registry: registry.url,
  handler,
  cgroups: countingCgroups(`${cgroup}/runtime`),
});
step("the runtime");

if (!standalone) {
  makeCertificates();
  await startControlPlane();
  step("the control plane");
}
await startLogind();
const featureGates = defaultGates ? {} : { EventedPLEG: true, PodAndContainerStatsFromCRI: true };
await startKubelet({ endpoint, standalone, featureGates, cgroupRoot: `/${cgroup}` });
step("the kubelet");
if (!standalone) {
  await startAddons();
  await waitForCluster();
  step("the cluster is ready");
}

const environment = {
  ...process.env,
  PATH: [path.join(PROJECT, "build/kubernetes"), path.join(PROJECT, "build/tools"), process.env.PATH].join(":"),
  TMPDIR: "/run/tmp",
  KUBECONFIG: FILES.adminConfig,
  BERTH_CLUSTER_REGISTRY: registry.url,
  BERTH_CLUSTER_CGROUP: cgroup,
};
const child = spawn(command[0], command.slice(1), { stdio: "inherit", env: environment });
child.once("error", (error) => {
  console.error(`cluster: ${command[0]}: ${error.message}`);
  process.exit(127);
});
child.once("exit", (code, signal) => process.exit(code ?? 128 + (signal ? 1 : 0)));
