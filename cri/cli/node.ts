import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { BerthError } from "../../api/errors";
import { Cluster } from "../node/cluster";
import { thisHost } from "../node/host";
import { installNode, planInstall, showChanges } from "../node/install";
import { Journal } from "../node/journal";
import type { NodeOptions, NodeParts } from "../node/parts";
import { purge } from "../node/purge";
import { connectRuntime } from "../node/runtime";
import { planUninstall, uninstallNode } from "../node/uninstall";
import { verifyNode } from "../node/verify";
import { type Command, configHelp, configOf, type Values } from "./command";

const kubeletConfigDefault = "/var/lib/kubelet/config.yaml";
/** An administrator's, else the node's own, which can do all but make RuntimeClasses. */
const kubeconfigs = ["/etc/kubernetes/admin.conf", "/etc/kubernetes/kubelet.conf"];

export const node: Command = {
  usage: "node install|verify|uninstall [OPTIONS]",
  help: `install makes Berth the runtime of this node's kubelet: it starts berth.service, cordons the node, ends the pods
of the runtime before, switches the kubelet's endpoint, waits until the node is Ready with Berth, makes the
RuntimeClasses, and uncordons. What was there is kept in /etc/berth/before; where a step fails, all is put back.
verify tells of each of these things whether it is so. uninstall goes back to what was there, and stops Berth.

  --dry-run             print what would change, as a diff, and change nothing
  --drain               drain the node first; else its pods are stopped and start again in place
  --purge               uninstall: remove images and all else that the daemon has written, too
  --kubelet-config FILE the kubelet's configuration (${kubeletConfigDefault})
  --kubeconfig FILE     for kubectl (${kubeconfigs.join(" or ")}; with neither there is no cluster)
  --node NAME           the node's name (the host's)
  --timeout SECONDS     how long to wait for the kubelet and the node (300)
${configHelp}`,
  options: {
    "dry-run": { type: "boolean" },
    drain: { type: "boolean" },
    purge: { type: "boolean" },
    "kubelet-config": { type: "string" },
    kubeconfig: { type: "string" },
    node: { type: "string" },
    timeout: { type: "string" },
  },
  async run(values, [what]) {
    const config = configOf(values);
    const options = optionsOf(values, `unix://${config.socket}`);
    const parts = partsOf(values, options.timeoutMs);
    const dryRun = values["dry-run"] === true;
    switch (what) {
      case "install": {
        const { own, kubelet } = planInstall(parts.host, options);
        if (dryRun) process.stdout.write(await showChanges(parts.host, [...own, ...kubelet]));
        else await installNode(parts, options);
        return 0;
      }
      case "verify": {
        const findings = await verifyNode(parts, options);
        for (const { what, problem } of findings) {
          process.stdout.write(problem === undefined ? `ok    ${what}\n` : `FAIL  ${what}: ${problem}\n`);
        }
        return findings.some(({ problem }) => problem !== undefined) ? 1 : 0;
      }
      case "uninstall":
        if (dryRun) {
          process.stdout.write(await showChanges(parts.host, planUninstall(parts, options) ?? []));
          return 0;
        }
        await uninstallNode(parts, options);
        if (values["purge"] === true) purge(config, parts.say);
        return 0;
      default:
        throw new BerthError("InvalidArgument", "say `berth node install`, `verify` or `uninstall`");
    }
  },
};

function optionsOf(values: Values, endpoint: string): NodeOptions {
  const seconds = Number(values["timeout"] ?? 300);
  if (!(seconds > 0)) throw new BerthError("InvalidArgument", `--timeout ${values["timeout"]} is no number of seconds`);
  const release = path.resolve(__dirname, "..");
  return {
    endpoint,
    kubeletConfig: (values["kubelet-config"] as string) ?? kubeletConfigDefault,
    // a link that is changed at an upgrade is the better name
    release: fs.existsSync("/opt/berth") && fs.realpathSync("/opt/berth") === release ? "/opt/berth" : release,
    drain: values["drain"] === true,
    timeoutMs: seconds * 1000,
  };
}

function partsOf(values: Values, timeoutMs: number): NodeParts {
  const host = thisHost;
  const kubeconfig = (values["kubeconfig"] as string) ?? kubeconfigs.find((file) => fs.existsSync(file));
  const name = (values["node"] as string) ?? os.hostname().toLowerCase();
  return {
    host,
    journal: new Journal(host),
    cluster: kubeconfig === undefined ? undefined : new Cluster({ host, node: name, kubeconfig, timeoutMs }),
    connect: connectRuntime,
    kubeletIsWell,
    say: (line) => void process.stdout.write(`${line}\n`),
  };
}

/** The kubelet's healthz, on the port that it has unless its configuration says another. */
function kubeletIsWell(): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get("http://127.0.0.1:10248/healthz", { timeout: 5000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
  });
}
