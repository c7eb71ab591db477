// What the one node of the cluster is called and where things lie on it: all as on a node of its own.
const path = require("node:path");

const PROJECT = path.join(__dirname, "../..");

const NODE = {
  name: "berth-node",
  address: "192.0.2.2",
  gateway: "192.0.2.1",
  /** As manifests/cni/10-berth.conflist says. */
  podNetwork: "10.88.0.0/16",
  serviceNetwork: "10.96.0.0/16",
  /** The API server's own Service: the first address of the Services' network. */
  apiService: "10.96.0.1",
  dnsService: "10.96.0.10",
  domain: "cluster.local",
};

const FILES = {
  kubernetes: "/etc/kubernetes",
  pki: "/etc/kubernetes/pki",
  manifests: "/etc/kubernetes/manifests",
  adminConfig: "/etc/kubernetes/admin.conf",
  kubeletConfig: "/var/lib/kubelet/config.yaml",
  services: "/run/services",
  logs: "/var/log/services",
};

/** A program of the cluster, as hack/build-kubernetes.sh leaves it. */
const program = (name) => path.join(PROJECT, "build/kubernetes", name);

module.exports = { PROJECT, NODE, FILES, program };
