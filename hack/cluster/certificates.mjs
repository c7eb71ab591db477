// The cluster's certificates by openssl, and the kubeconfigs that carry them: what kubeadm lays out, for a day.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { FILES, NODE } from "./node.cjs";

const at = (name) => path.join(FILES.pki, name);
const openssl = (...args) => execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function makeAuthority() {
  const usage = "keyUsage=critical,keyCertSign,cRLSign,digitalSignature";
  const subject = ["-subj", "/CN=kubernetes", "-days", "2", "-addext", usage];
  openssl("req", "-x509", ...NEW_KEY, ...subject, "-keyout", at("ca.key"), "-out", at("ca.crt"));
}

/** A certificate that the authority signs: NAME.crt and NAME.key. */
function makeCertificate(name, { user, groups = [], hosts = [] }) {
  const subject = [...groups.map((group) => `/O=${group}`), `/CN=${user}`].join("");
  openssl("req", "-new", ...NEW_KEY, "-subj", subject, "-keyout", at(`${name}.key`), "-out", at(`${name}.csr`));
  const extensions = ["keyUsage=critical,digitalSignature", "extendedKeyUsage=clientAuth,serverAuth"];
  if (hosts.length > 0) extensions.push(`subjectAltName=${hosts.join(",")}`);
  fs.writeFileSync(at(`${name}.ext`), extensions.join("\n"));
  const signer = ["-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "1"];
  openssl(
    "x509",
    "-req",
    ...signer,
    "-extfile",
    at(`${name}.ext`),
    "-in",
    at(`${name}.csr`),
    "-out",
    at(`${name}.crt`),
  );
}

const base64 = (file) => fs.readFileSync(file, "base64");

function writeKubeconfig(name) {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "berth",
        cluster: { server: `https://${NODE.address}:6443`, "certificate-authority-data": base64(at("ca.crt")) },
      },
    ],
    users: [
      {
        name,
        user: {
          "client-certificate-data": base64(at(`${name}.crt`)),
          "client-key-data": base64(at(`${name}.key`)),
        },
      },
    ],
    contexts: [{ name: "berth", context: { cluster: "berth", user: name } }],
    "current-context": "berth",
  };
  fs.writeFileSync(path.join(FILES.kubernetes, `${name}.conf`), JSON.stringify(config, null, 2), { mode: 0o600 });
}

/** Fills /etc/kubernetes: pki, and a kubeconfig for each who speaks to the API server. */
export function makeCertificates() {
  fs.mkdirSync(FILES.pki, { recursive: true });
  makeAuthority();
  openssl("genrsa", "-out", at("sa.key"), "2048");
  openssl("rsa", "-in", at("sa.key"), "-pubout", "-out", at("sa.pub"));
  const names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", `kubernetes.default.svc.${NODE.domain}`];
  const hosts = [...names.map((one) => `DNS:${one}`), `IP:${NODE.address}`, `IP:${NODE.apiService}`, "IP:127.0.0.1"];
  makeCertificate("apiserver", { user: "kube-apiserver", hosts });
  makeCertificate("apiserver-kubelet-client", { user: "kube-apiserver-kubelet-client", groups: ["system:masters"] });
  makeCertificate("kubelet-server", { user: NODE.name, hosts: [`IP:${NODE.address}`, `DNS:${NODE.name}`] });
  const clients = {
    admin: { user: "admin", groups: ["system:masters"] },
    kubelet: { user: `system:node:${NODE.name}`, groups: ["system:nodes"] },
    "controller-manager": { user: "system:kube-controller-manager" },
    scheduler: { user: "system:kube-scheduler" },
    proxy: { user: "system:kube-proxy" },
  };
  for (const [name, client] of Object.entries(clients)) {
    makeCertificate(name, client);
    writeKubeconfig(name);
  }
}
