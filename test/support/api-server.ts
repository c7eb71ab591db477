import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stopChild } from "../../hack/support/registry.cjs";
import { freePort } from "./unique";

const PROGRAMS = path.join(__dirname, "../../build/kubernetes");

/** What this needs and the machine has not; undefined where all is there. hack/build-kubernetes.sh builds it. */
export function missingForApiServer(): string | undefined {
  const paths = process.env["PATH"]!.split(":").map((directory) => path.join(directory, "etcd"));
  if (!paths.some((file) => fs.existsSync(file))) return "etcd";
  return ["kube-apiserver", "kubectl"].map((name) => path.join(PROGRAMS, name)).find((file) => !fs.existsSync(file));
}

export const kubectlProgram = path.join(PROGRAMS, "kubectl");

export interface ApiServer {
  /** A kubeconfig of an administrator's, and one of a node's own credentials. */
  adminConfig: string;
  nodeConfig: string;
  stop(): Promise<void>;
}

/** etcd and a kube-apiserver on the loopback, with kubeadm's authorization modes; everything lies in `directory`. */
export async function startApiServer(directory: string, nodeName: string): Promise<ApiServer> {
  const at = (name: string) => path.join(directory, name);
  const [client, peer, port] = [await freePort(), await freePort(), await freePort()];
  const url = (of: number) => `http://127.0.0.1:${of}`;
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  fs.writeFileSync(at("sa.key"), privateKey, { mode: 0o600 });
  const tokens = [`admin,admin,1,"system:masters"`, `node,system:node:${nodeName},2,"system:nodes"`];
  fs.writeFileSync(at("tokens.csv"), `${tokens.join("\n")}\n`, { mode: 0o600 });

  const children: ChildProcess[] = [];
  const stop = async () => {
    for (const child of children.reverse()) await stopChild(child, 10_000);
  };
  const run = (name: string, command: string, args: string[]) => {
    const log = fs.openSync(at(`${name}.log`), "a");
    children.push(spawn(command, args, { stdio: ["ignore", log, log] }));
    fs.closeSync(log);
  };
  run("etcd", "etcd", [
    ...["--data-dir", at("etcd"), "--listen-client-urls", url(client), "--advertise-client-urls", url(client)],
    ...["--listen-peer-urls", url(peer), "--initial-advertise-peer-urls", url(peer)],
    ...["--initial-cluster", `default=${url(peer)}`, "--unsafe-no-fsync"],
  ]);
  run("kube-apiserver", path.join(PROGRAMS, "kube-apiserver"), [
    ...[
      `--etcd-servers=${url(client)}`,
      `--secure-port=${port}`,
      "--bind-address=127.0.0.1",
      `--cert-dir=${directory}`,
    ],
    ...["--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://kubernetes.default.svc"],
    ...[`--service-account-key-file=${at("sa.key")}`, `--service-account-signing-key-file=${at("sa.key")}`],
    ...[`--token-auth-file=${at("tokens.csv")}`, "--authorization-mode=Node,RBAC"],
    "--enable-admission-plugins=NodeRestriction",
    "--allow-privileged=true",
    "--disable-admission-plugins=ServiceAccount", // its accounts are the controller manager's to make
  ]);
  const server = { adminConfig: at("admin.conf"), nodeConfig: at("kubelet.conf"), stop };
  const cluster = { server: `https://127.0.0.1:${port}`, "insecure-skip-tls-verify": true };
  for (const [file, token] of [
    [server.adminConfig, "admin"],
    [server.nodeConfig, "node"],
  ] as const) {
    // prettier-ignore
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "test", cluster }],
      users: [{ name: token, user: { token } }],
      contexts: [{ name: "test", context: { cluster: "test", user: token } }],
      "current-context": "test",
    };
    fs.writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  }
  try {
    for (const deadline = Date.now() + 120_000; !(await isReady(server.adminConfig)); await sleep(500)) {
      if (Date.now() > deadline || children.some(({ exitCode }) => exitCode !== null)) {
        throw new Error(`no API server: ${fs.readFileSync(at("kube-apiserver.log"), "utf8").slice(-2000)}`);
      }
    }
    return server;
  } catch (error) {
    await stop();
    throw error;
  }
}

const isReady = (kubeconfig: string) =>
  new Promise<boolean>((resolve) => {
    const child = spawn(kubectlProgram, ["--kubeconfig", kubeconfig, "get", "--raw", "/readyz"], { stdio: "ignore" });
    child.once("exit", (code) => resolve(code === 0));
  });
