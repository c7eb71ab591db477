// Berth as the node's runtime, with the files of manifests/ where a node has them.
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { tomlDocument } from "../support/daemon.cjs";
import { runtimeOptions } from "../support/runtime.cjs";
import { PROJECT } from "./node.cjs";
import { keepRunning, waitFor } from "./services.cjs";

const SOCKET = "/run/berth/berth.sock";

const listens = () =>
  new Promise((resolve) => {
    const connection = net.connect(SOCKET);
    connection.once("connect", () => connection.destroy(resolve(true))).once("error", () => resolve(false));
  });

function installFile(name, target) {
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.copyFileSync(path.join(PROJECT, "manifests", name), target);
}

/** @param mirrors URLs by host; "_default" is every other host */
export async function startBerth({ mirrors, cgroups }) {
  installFile("cni/10-berth.conflist", "/etc/cni/net.d/10-berth.conflist");
  installFile("crictl.yaml", "/etc/crictl.yaml");
  for (const [host, url] of Object.entries(mirrors)) {
    fs.mkdirSync(path.join("/etc/berth/certs.d", host), { recursive: true });
    const hosts = { server: url, host: { [`"${url}"`]: { capabilities: ["pull", "resolve"] } } };
    fs.writeFileSync(path.join("/etc/berth/certs.d", host, "hosts.toml"), tomlDocument(hosts));
  }
  const configuration = { log: { level: "debug" }, runtime: { cgroup_driver: "cgroupfs", ...runtimeOptions() } };
  fs.writeFileSync("/etc/berth/config.toml", tomlDocument(configuration));
  keepRunning({ name: "berth", command: [path.join(PROJECT, "bin/berth"), "serve"], cgroups });
  await waitFor("Berth listens", { of: "berth" }, listens);
  return { endpoint: `unix://${SOCKET}` };
}
