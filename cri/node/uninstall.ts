import { BerthError } from "../../api/errors";
import type { Host } from "./host";
import { ownFiles } from "./install";
import type { Before } from "./journal";
import { currentEndpoint, type FileChange } from "./kubelet-files";
import {
  cordon,
  uncordon,
  endPods,
  isBerth,
  type NodeOptions,
  type NodeParts,
  startBerth,
  startKubelet,
} from "./parts";

/** What puts the node's files back; undefined where `berth node install` has not run. */
export function planUninstall({ host, journal }: NodeParts, options: NodeOptions): FileChange[] | undefined {
  const before = journal.read();
  if (before === undefined) return undefined;
  return Object.entries(filesBefore(host, options, before))
    .map(([file, text]) => ({ file, before: host.read(file), after: text ?? "" }))
    .filter(({ before, after }) => (before ?? "") !== after);
}

/** What was there before; a file that somebody has copied from the release by hand was not. */
function filesBefore(host: Host, options: NodeOptions, before: Before): Before["files"] {
  const copied = ownFiles(host, options).filter(({ file, text }) => host.read(file) === text);
  return { ...Object.fromEntries(copied.map(({ file }) => [file, null])), ...before.files };
}

/**
 * Gives the kubelet back the runtime that it had, and ends Berth's service. Does nothing where Berth was not installed.
 * Every step can be taken again, so that a second call goes on where a first has failed. Throws FailedPrecondition where
 * the kubelet uses Berth and nobody noted what was there before.
 */
export async function uninstallNode(parts: NodeParts, options: NodeOptions): Promise<void> {
  const { host, journal, cluster, say } = parts;
  const before = journal.read();
  if (before?.endpoint === undefined) {
    const kubelet = { read: host.read, config: options.kubeletConfig };
    if (currentEndpoint(kubelet) === options.endpoint) {
      throw new BerthError(
        "FailedPrecondition",
        "the kubelet uses Berth, and `berth node install` did not make it so",
        {
          hint: "name another runtime in the kubelet's files, restart it, and stop berth.service",
        },
      );
    }
    return say("nothing to do: `berth node install` has not run here");
  }

  await cordon(parts, options.drain);
  await host.run("systemctl", ["stop", "kubelet"]);
  await startBerth(parts, options.endpoint); // one that is stopped can't end its pods
  await endPods(parts, options.endpoint, "all");
  await host.run("systemctl", ["disable", "--now", "berth.service"]);
  const files = filesBefore(host, options, before);
  await journal.restore(files);
  await host.run("systemctl", ["daemon-reload"]);
  for (const file of Object.keys(files)) say(`${file} is as it was`);

  if (before.kubeletRan) await startKubelet(parts, options.timeoutMs, (version) => !isBerth(version));
  else say("the kubelet is stopped, as it was before");
  if (cluster) await takeLeave(parts, before);
  await uncordon(parts);
  journal.forget();
}

/** Takes back what the cluster was told, RuntimeClasses only from the last node of Berth's. */
async function takeLeave({ cluster, say }: NodeParts, before: Before) {
  if (before.criSocket !== undefined) await cluster!.setCriSocket(before.criSocket);
  if (before.runtimeClasses.length === 0) return;
  if ((await cluster!.runtimesElsewhere()).some(isBerth)) return say("other nodes use the RuntimeClasses: they stay");
  await cluster!.removeRuntimeClasses(before.runtimeClasses);
  say(`RuntimeClasses ${before.runtimeClasses.join(", ")} are removed`);
}
