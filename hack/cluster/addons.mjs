// What a cluster has beside its control plane: a proxy for Services, DNS, RuntimeClasses.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { FILES, NODE, PROJECT, program } from "./node.cjs";
import { keepRunning, waitFor } from "./services.cjs";

const kubectl = (args, input) =>
  execFileSync(program("kubectl"), ["--kubeconfig", FILES.adminConfig, ...args], {
    encoding: "utf8",
    input,
    stdio: ["pipe", "pipe", "pipe"],
  });

const apply = (...objects) =>
  kubectl(["apply", "--filename", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));

async function startProxy() {
  const configuration = {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "iptables",
    clusterCIDR: NODE.podNetwork,
    clientConnection: { kubeconfig: path.join(FILES.kubernetes, "proxy.conf") },
    // Sizes of tables are the machine's, not this network namespace's.
    conntrack: { maxPerCore: 0, min: 0 },
    nodePortAddresses: [`${NODE.address}/32`],
  };
  const file = "/var/lib/kubelet/proxy.yaml";
  fs.writeFileSync(file, JSON.stringify(configuration));
  keepRunning({
    name: "kube-proxy",
    command: [program("kube-proxy"), `--config=${file}`, `--hostname-override=${NODE.name}`],
  });
  const healthy = async () => (await fetch("http://127.0.0.1:10256/healthz")).ok;
  await waitFor("kube-proxy is healthy", { of: "kube-proxy" }, healthy);
}

const CORE_FILE = `.:53 {
  errors
  health
  ready
  kubernetes ${NODE.domain} in-addr.arpa ip6.arpa {
    pods insecure
  }
  cache 5
}
`;

const inSystem = (name) => ({ name, namespace: "kube-system", labels: { "k8s-app": "kube-dns" } });

function dnsObjects() {
  const rules = [
    { apiGroups: [""], resources: ["endpoints", "services", "pods", "namespaces"], verbs: ["list", "watch"] },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
  ];
  const ports = [
    { name: "dns", port: 53, protocol: "UDP" },
    { name: "dns-tcp", port: 53, protocol: "TCP" },
  ];
  const container = {
    name: "coredns",
    image: "registry.k8s.io/coredns/coredns:latest",
    args: ["-conf", "/etc/coredns/Corefile"],
    resources: { requests: { cpu: "10m", memory: "30Mi" }, limits: { memory: "170Mi" } },
    readinessProbe: { httpGet: { path: "/ready", port: 8181 }, periodSeconds: 1 },
    livenessProbe: { httpGet: { path: "/health", port: 8080 }, failureThreshold: 5 },
    volumeMounts: [{ name: "config", mountPath: "/etc/coredns", readOnly: true }],
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { add: ["NET_BIND_SERVICE"], drop: ["ALL"] },
    },
  };
  const template = {
    metadata: { labels: { "k8s-app": "kube-dns" } },
    spec: {
      serviceAccountName: "coredns",
      priorityClassName: "system-cluster-critical",
      dnsPolicy: "Default",
      containers: [container],
      volumes: [{ name: "config", configMap: { name: "coredns" } }],
    },
  };
  const rbac = "rbac.authorization.k8s.io";
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: inSystem("coredns") },
    { apiVersion: `${rbac}/v1`, kind: "ClusterRole", metadata: { name: "system:coredns" }, rules },
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: "system:coredns" },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "system:coredns" },
      subjects: [{ kind: "ServiceAccount", name: "coredns", namespace: "kube-system" }],
    },
    { apiVersion: "v1", kind: "ConfigMap", metadata: inSystem("coredns"), data: { Corefile: CORE_FILE } },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: inSystem("coredns"),
      spec: { replicas: 1, selector: { matchLabels: { "k8s-app": "kube-dns" } }, template },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: inSystem("kube-dns"),
      spec: { clusterIP: NODE.dnsService, selector: { "k8s-app": "kube-dns" }, ports },
    },
  ];
}

export async function startAddons() {
  await startProxy();
  apply(...dnsObjects());
  kubectl(["apply", "--filename", path.join(PROJECT, "manifests/runtime-classes.yaml")]);
}

/** Waits until the node is Ready and the pods of the cluster itself run. */
export async function waitForCluster() {
  const wait = (...args) => kubectl(["wait", "--timeout=180s", ...args]);
  await waitFor("the node is registered", { of: "kubelet" }, () => kubectl(["get", "node", NODE.name]) !== "");
  wait("--for=condition=Ready", `node/${NODE.name}`);
  wait("--for=condition=Available", "--namespace=kube-system", "deployment/coredns");
}
