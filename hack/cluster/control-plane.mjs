// etcd, the API server, the controller manager and the scheduler, as processes on the node.
import { execFile } from "node:child_process";
import path from "node:path";
import { FILES, NODE, program } from "./node.cjs";
import { keepRunning, waitFor } from "./services.cjs";

const at = (name) => path.join(FILES.pki, name);
const config = (name) => path.join(FILES.kubernetes, `${name}.conf`);

export async function startControlPlane() {
  const etcd = "http://127.0.0.1:2379";
  const peers = "http://127.0.0.1:2380";
  const urls = ["--listen-client-urls", etcd, "--advertise-client-urls", etcd, "--listen-peer-urls", peers];
  // Its data lies on a tmpfs: a disk that others keep busy would make elections of it.
  const data = ["--data-dir", "/run/etcd", "--initial-advertise-peer-urls", peers, "--initial-cluster"];
  keepRunning({ name: "etcd", command: ["etcd", ...urls, ...data, `default=${peers}`, "--logger", "zap"] });
  const health = async (url) => (await fetch(url)).ok;
  await waitFor("etcd is healthy", { of: "etcd" }, () => health(`${etcd}/health`));

  keepRunning({
    name: "kube-apiserver",
    command: [
      program("kube-apiserver"),
      `--etcd-servers=${etcd}`,
      `--advertise-address=${NODE.address}`,
      `--service-cluster-ip-range=${NODE.serviceNetwork}`,
      `--tls-cert-file=${at("apiserver.crt")}`,
      `--tls-private-key-file=${at("apiserver.key")}`,
      `--client-ca-file=${at("ca.crt")}`,
      `--kubelet-certificate-authority=${at("ca.crt")}`,
      `--kubelet-client-certificate=${at("apiserver-kubelet-client.crt")}`,
      `--kubelet-client-key=${at("apiserver-kubelet-client.key")}`,
      `--service-account-issuer=https://kubernetes.default.svc.${NODE.domain}`,
      `--service-account-key-file=${at("sa.pub")}`,
      `--service-account-signing-key-file=${at("sa.key")}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      "--allow-privileged=true",
    ],
  });
  // By kubectl, for the certificate is signed by an authority of our own.
  const ready = () =>
    new Promise((resolve) => {
      const args = ["--kubeconfig", FILES.adminConfig, "get", "--raw", "/readyz"];
      execFile(program("kubectl"), args, (error) => resolve(!error));
    });
  await waitFor("the API server is ready", { of: "kube-apiserver" }, ready);

  keepRunning({
    name: "kube-controller-manager",
    command: [
      program("kube-controller-manager"),
      `--kubeconfig=${config("controller-manager")}`,
      "--bind-address=127.0.0.1",
      "--leader-elect=false",
      "--use-service-account-credentials=true",
      `--root-ca-file=${at("ca.crt")}`,
      `--service-account-private-key-file=${at("sa.key")}`,
    ],
  });
  keepRunning({
    name: "kube-scheduler",
    command: [
      program("kube-scheduler"),
      `--kubeconfig=${config("scheduler")}`,
      "--bind-address=127.0.0.1",
      "--leader-elect=false",
    ],
  });
}
