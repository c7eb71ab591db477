import fs from "node:fs";
import path from "node:path";
import { messageOf } from "../../api/errors";
import { serviceState } from "./host";
import { planInstall, runtimeClassNames } from "./install";
import { currentEndpoint } from "./kubelet-files";
import { isBerth, type NodeOptions, type NodeParts, withRuntime } from "./parts";

export interface Finding {
  what: string;
  /** What is wrong; undefined where it is as it should be. */
  problem: string | undefined;
}

/** Looks at each thing that `berth node install` sees to, and changes nothing. */
export async function verifyNode(parts: NodeParts, options: NodeOptions): Promise<Finding[]> {
  const { host, cluster, kubeletIsWell } = parts;
  const manifest = fs.readFileSync(path.join(options.release, "manifests/runtime-classes.yaml"), "utf8");
  const version = () => withRuntime(parts, options.endpoint, (runtime) => runtime.version());
  const checks: [string, () => Promise<string | undefined>][] = [
    ["berth.service runs", async () => unless("active", await serviceState(host, "is-active", "berth.service"))],
    [
      "berth.service starts with the machine",
      async () => unless("enabled", await serviceState(host, "is-enabled", "berth.service")),
    ],
    ["Berth answers on its socket", async () => unless(isBerth, (await version()) ?? "no answer")],
    [
      "the kubelet's files name Berth",
      async () =>
        unless(options.endpoint, currentEndpoint({ read: host.read, config: options.kubeletConfig })) ??
        unless(
          "",
          planInstall(host, options)
            .kubelet.map(({ file }) => file)
            .join(", "),
        ), // prettier-ignore
    ],
    [
      "files are as installed",
      async () =>
        unless(
          "",
          planInstall(host, options)
            .own.map(({ file }) => file)
            .join(", "),
        ), // prettier-ignore
    ],
    ["the kubelet is well", async () => ((await kubeletIsWell()) ? undefined : "its healthz port says no")],
  ];
  if (cluster) {
    checks.push(
      [
        "the node's containerRuntimeVersion is Berth's",
        async () => unless(isBerth, (await cluster.get()).status.nodeInfo.containerRuntimeVersion),
      ],
      [
        "kubeadm's annotation names Berth, if there is one",
        async () => unless(options.endpoint, cluster.criSocketOf(await cluster.get()) ?? options.endpoint),
      ],
      [
        "the RuntimeClasses are there",
        async () => {
          const there = await cluster.runtimeClasses();
          const missing = runtimeClassNames(manifest).filter((name) => !there.includes(name));
          return missing.length === 0 ? undefined : `missing: ${missing.join(", ")}`;
        },
      ],
    );
  }
  const findings: Finding[] = [];
  for (const [what, check] of checks) findings.push({ what, problem: await check().catch(messageOf) });
  return findings;
}

/** What was found, where it is not what is wanted. */
function unless(wanted: string | ((found: string) => boolean), found: string): string | undefined {
  const good = typeof wanted === "string" ? found === wanted : wanted(found);
  return good ? undefined : found;
}
