// The kubelet, configured as kubeadm would, on a machine without systemd and with cgroup v1.
import fs from "node:fs";
import path from "node:path";
import { FILES, NODE, program } from "./node.cjs";
import { keepRunning, waitFor } from "./services.cjs";

/** What every kubelet of ours is told. */
function commonConfiguration({ endpoint, cgroupRoot, featureGates }) {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: endpoint,
    cgroupDriver: "cgroupfs",
    cgroupRoot,
    kubeletCgroups: `${cgroupRoot}/kubelet`,
    failCgroupV1: false,
    failSwapOn: false,
    // Lowering it takes CAP_SYS_RESOURCE.
    oomScoreAdj: 0,
    staticPodPath: FILES.manifests,
    resolvConf: "/etc/resolv.conf",
    // The default lies in /usr, which is the machine's own.
    volumePluginDir: "/var/lib/kubelet/volume-plugins",
    serializeImagePulls: false,
    maxPods: 150,
    // Soon enough for a test to see.
    containerLogMaxSize: "64Ki",
    containerLogMaxFiles: 3,
    containerLogMonitorInterval: "3s",
    crashLoopBackOff: { maxContainerRestartPeriod: "20s" },
    evictionHard: {
      "memory.available": "100Mi",
      "nodefs.available": "1%",
      "nodefs.inodesFree": "1%",
      "imagefs.available": "1%",
    },
    imageGCHighThresholdPercent: 100,
    evictionPressureTransitionPeriod: "10s",
    shutdownGracePeriod: "20s",
    shutdownGracePeriodCriticalPods: "5s",
    syncFrequency: "10s",
    featureGates,
  };
}

/** One that belongs to a cluster. */
const clusterConfiguration = (options) => ({
  ...commonConfiguration(options),
  clusterDomain: NODE.domain,
  clusterDNS: [NODE.dnsService],
  tlsCertFile: path.join(FILES.pki, "kubelet-server.crt"),
  tlsPrivateKeyFile: path.join(FILES.pki, "kubelet-server.key"),
  authentication: {
    x509: { clientCAFile: path.join(FILES.pki, "ca.crt") },
    webhook: { enabled: true },
    anonymous: { enabled: false },
  },
  authorization: { mode: "Webhook" },
});

/** One that runs the static pods of its node and nothing else. It answers everybody, on the loopback. */
const standaloneConfiguration = (options) => ({
  ...commonConfiguration(options),
  address: "127.0.0.1",
  enableServer: true,
  authentication: { webhook: { enabled: false }, anonymous: { enabled: true } },
  authorization: { mode: "AlwaysAllow" },
});

export const kubeletAnswers = async () => (await fetch("http://127.0.0.1:10248/healthz")).ok;

/**
 * @param endpoint of the CRI
 * @param standalone without an API server
 * @param cgroupRoot the cgroup that pods and the kubelet are in
 * @param featureGates other than the kubelet's own
 */
export async function startKubelet({ standalone, ...options }) {
  fs.mkdirSync(FILES.manifests, { recursive: true });
  const configuration = standalone ? standaloneConfiguration(options) : clusterConfiguration(options);
  fs.writeFileSync(FILES.kubeletConfig, JSON.stringify(configuration, null, 2));
  const own = [`--config=${FILES.kubeletConfig}`, `--node-ip=${NODE.address}`, "--v=2"];
  if (!standalone) own.push(`--kubeconfig=${path.join(FILES.kubernetes, "kubelet.conf")}`);
  keepRunning({ name: "kubelet", command: [program("kubelet"), ...own] });
  await waitFor("the kubelet is healthy", { of: "kubelet" }, kubeletAnswers);
}
