import fs from "node:fs";
import path from "node:path";
import { BerthError, during } from "../../api/errors";
import { UndoStack } from "../../sys/undo";
import { type Host, serviceState } from "./host";
import { currentEndpoint, type FileChange, switchEndpoint } from "./kubelet-files";
import {
  cordon,
  uncordon,
  endPods,
  isBerth,
  kubeletRuns,
  type NodeOptions,
  type NodeParts,
  startBerth,
  startKubelet,
} from "./parts";

/** Berth's own files on a node, as this release has them. Debian's package brings a unit of its own. */
export function ownFiles(host: Host, { release, endpoint }: NodeOptions): { file: string; text: string }[] {
  const manifest = (name: string) => fs.readFileSync(path.join(release, "manifests", name), "utf8");
  const files = [
    { file: "/etc/crictl.yaml", text: manifest("crictl.yaml").replaceAll("unix:///run/berth/berth.sock", endpoint) },
    {
      file: "/etc/systemd/system/kubelet.service.d/20-berth.conf",
      text: manifest("systemd/kubelet-after-berth.conf"),
    },
  ];
  if (host.read("/usr/lib/systemd/system/berth.service") !== undefined) return files;
  const unit = manifest("systemd/berth.service").replaceAll("/opt/berth", release);
  return [...files, { file: "/etc/systemd/system/berth.service", text: unit }];
}

/** What has to change on this node: Berth's own files, and the kubelet's. Empty where all is as it should be. */
export function planInstall(host: Host, options: NodeOptions): { own: FileChange[]; kubelet: FileChange[] } {
  return {
    own: ownFiles(host, options)
      .map(({ file, text }) => ({ file, before: host.read(file), after: text }))
      .filter(({ before, after }) => before !== after),
    kubelet: switchEndpoint({ read: host.read, config: options.kubeletConfig }, options.endpoint),
  };
}

/** Each change as diff(1) shows it. */
export async function showChanges(host: Host, changes: FileChange[]): Promise<string> {
  const diffs = changes.map(({ file, before, after }) => {
    const from = before === undefined ? "/dev/null" : file;
    return host.run("diff", ["-u", "--label", from, "--label", file, from, "-"], { input: after, accept: [1] });
  });
  return (await Promise.all(diffs)).join("");
}

/**
 * Makes Berth the runtime of this node's kubelet. Each step is undone where a later one fails, and none is taken where
 * all is there already. Throws with what failed, and with what could not be undone.
 */
export async function installNode(parts: NodeParts, options: NodeOptions): Promise<void> {
  const undo = new UndoStack();
  try {
    await install(parts, options, undo);
  } catch (error) {
    parts.say("it failed; going back to what was there");
    const left = await undo.unwind();
    const more = left.length > 0 ? `; and not undone: ${left.join("; ")}` : "; all is as it was";
    const failure = during("install", error);
    throw new BerthError(failure.code, failure.message + more, { cause: error, hint: failure.hint });
  }
}

async function install(parts: NodeParts, options: NodeOptions, undo: UndoStack): Promise<void> {
  const { host, journal, cluster, say } = parts;
  const { own, kubelet } = planInstall(host, options);
  const before = currentEndpoint({ read: host.read, config: options.kubeletConfig });
  const ran = await kubeletRuns(host);
  const served = (await serviceState(host, "is-active", "berth.service")) === "active";
  // a second time, what was there before is known from the first
  if (journal.read() === undefined) undo.push("forget what was there", () => journal.forget());
  if (before !== options.endpoint) await journal.note({ endpoint: before, kubeletRan: ran });

  undo.push("stop Berth", async () => {
    if (!served) await host.run("systemctl", ["disable", "--now", "berth.service"]);
  });
  await changeFiles(parts, own, undo);
  await host.run("systemctl", ["daemon-reload"]);
  await startBerth(parts, options.endpoint);
  say(`Berth answers on ${options.endpoint}`);

  const node = await cluster?.get();
  const switched = kubelet.length > 0 || !ran || (node && !isBerth(node.status.nodeInfo.containerRuntimeVersion));
  if (switched) await switchKubelet(parts, options, { changes: kubelet, before, ran }, undo);
  else say("the kubelet uses Berth already");
  if (cluster) await introduce(parts, options, undo);
  await uncordon(parts);
  undo.clear();
}

interface Switch {
  changes: FileChange[];
  /** The endpoint until now. */
  before: string;
  /** Whether the kubelet ran. */
  ran: boolean;
}

/** Cordons the node, ends the pods of the runtime before, and starts the kubelet with Berth. */
async function switchKubelet(parts: NodeParts, options: NodeOptions, from: Switch, undo: UndoStack): Promise<void> {
  const { host } = parts;
  undo.push("uncordon", () => uncordon(parts));
  await cordon(parts, options.drain);
  undo.push("start the kubelet", async () => {
    if (from.ran) await host.run("systemctl", ["restart", "kubelet"]);
  });
  undo.push("end Berth's pods", () => endPods(parts, options.endpoint, "kubelet"));
  await host.run("systemctl", ["stop", "kubelet"]);
  if (from.before !== options.endpoint) await endPods(parts, from.before, "kubelet");
  await changeFiles(parts, from.changes, undo);
  undo.push("stop the kubelet", async () => void (await host.run("systemctl", ["stop", "kubelet"])));
  await startKubelet(parts, options.timeoutMs, isBerth);
}

async function changeFiles({ host, journal, say }: NodeParts, changes: FileChange[], undo: UndoStack): Promise<void> {
  undo.push("put files back", async () => {
    await journal.restore(Object.fromEntries(changes.map(({ file, before }) => [file, before ?? null])));
    await host.run("systemctl", ["daemon-reload"]);
  });
  await journal.apply(changes);
  for (const { file } of changes) say(`${file} is written`);
}

/** Tells the cluster: kubeadm's annotation, and the RuntimeClasses. */
async function introduce({ journal, cluster, say }: NodeParts, options: NodeOptions, undo: UndoStack): Promise<void> {
  const criSocket = cluster!.criSocketOf(await cluster!.get());
  if (criSocket !== null && criSocket !== options.endpoint) {
    await journal.note({ criSocket });
    undo.push("put kubeadm's annotation back", () => cluster!.setCriSocket(criSocket));
    await cluster!.setCriSocket(options.endpoint);
    say("kubeadm's annotation of the node names Berth");
  }
  const file = path.join(options.release, "manifests/runtime-classes.yaml");
  const manifest = fs.readFileSync(file, "utf8");
  const there = await cluster!.runtimeClasses();
  const missing = runtimeClassNames(manifest).filter((name) => !there.includes(name));
  if (missing.length === 0) return;
  await journal.note({ runtimeClasses: missing });
  undo.push("remove the RuntimeClasses", () => cluster!.removeRuntimeClasses(missing));
  if (await cluster!.apply(manifest)) say(`RuntimeClasses ${missing.join(", ")} are made`);
  else say(`RuntimeClasses ${missing.join(", ")} want an administrator: kubectl apply -f ${file}`);
}

export const runtimeClassNames = (manifest: string): string[] =>
  [...manifest.matchAll(/^ {2}name: (\S+)$/gm)].map(([, name]) => name!);
