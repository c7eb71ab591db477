// Berth as the node's runtime, where a node has it.
import path from "node:path";
import { tomlDocument } from "../support/daemon.cjs";
import { runtimeOptions } from "../support/runtime.cjs";
import { PROJECT } from "./node.cjs";
import { installManifests, listensOn, mirrorEverything, writeFile } from "./runtime-files.mjs";
import { keepRunning, waitFor } from "./services.cjs";

const SOCKET = "/run/berth/berth.sock";

/**
 * @param registry the URL that stands for every registry
 * @param handler of pods that name no RuntimeClass; by default one that can run them in user namespaces
 */
export async function startBerth({ registry, handler, cgroups }) {
  const endpoint = `unix://${SOCKET}`;
  installManifests(endpoint);
  mirrorEverything("/etc/berth/certs.d", registry);
  const runtime = { cgroup_driver: "cgroupfs", ...runtimeOptions(), ...(handler ? { default_handler: handler } : {}) };
  writeFile("/etc/berth/config.toml", tomlDocument({ log: { level: "debug" }, runtime }));
  keepRunning({ name: "berth", command: [path.join(PROJECT, "bin/berth"), "serve"], cgroups });
  await waitFor("Berth listens", { of: "berth" }, () => listensOn(SOCKET));
  return endpoint;
}
