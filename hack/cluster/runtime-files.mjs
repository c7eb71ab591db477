// What the node has for its runtime, whichever it is: the network, the registry's mirrors, crictl's configuration.
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { tomlDocument } from "../support/daemon.cjs";
import { PROJECT } from "./node.cjs";

export function writeFile(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

const manifest = (name) => fs.readFileSync(path.join(PROJECT, "manifests", name), "utf8");

/** The network of manifests/, and crictl's configuration with the runtime's endpoint in it. */
export function installManifests(endpoint) {
  writeFile("/etc/cni/net.d/10-berth.conflist", manifest("cni/10-berth.conflist"));
  writeFile("/etc/crictl.yaml", manifest("crictl.yaml").replaceAll("unix:///run/berth/berth.sock", endpoint));
}

/** Makes one registry stand for every other, as both Berth and containerd read it from a directory certs.d. */
export function mirrorEverything(directory, url) {
  const hosts = { server: url, host: { [`"${url}"`]: { capabilities: ["pull", "resolve"] } } };
  writeFile(path.join(directory, "_default/hosts.toml"), tomlDocument(hosts));
}

export const listensOn = (socket) =>
  new Promise((resolve) => {
    const connection = net.connect(socket);
    connection.once("connect", () => connection.destroy(resolve(true))).once("error", () => resolve(false));
  });
