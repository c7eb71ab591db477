import { setTimeout as sleep } from "node:timers/promises";
import { BerthError } from "../../api/errors";
import type { Cluster } from "./cluster";
import { type Host, serviceState } from "./host";
import type { Journal } from "./journal";
import type { Runtime } from "./runtime";

/** What installing, verifying and uninstalling work with. */
export interface NodeParts {
  host: Host;
  journal: Journal;
  /** Undefined for a kubelet without a cluster. */
  cluster: Cluster | undefined;
  connect(endpoint: string): Runtime;
  /** Whether the kubelet says that it is well (its healthz port on the loopback). */
  kubeletIsWell(): Promise<boolean>;
  /** Tells the operator what is done. */
  say(line: string): void;
}

export interface NodeOptions {
  /** Berth's socket as the kubelet wants it. */
  endpoint: string;
  kubeletConfig: string;
  /** Where this release lies: its bin/ and manifests/. */
  release: string;
  drain: boolean;
  /** The longest that the kubelet, or the node in its cluster, is waited for. */
  timeoutMs: number;
}

export const isBerth = (version: string): boolean => version.startsWith("berth://");

/** Runs `work` with a connection to the runtime at `endpoint`. */
export async function withRuntime<T>(
  { connect }: Pick<NodeParts, "connect">,
  endpoint: string,
  work: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  const runtime = connect(endpoint);
  try {
    return await work(runtime);
  } finally {
    runtime.close();
  }
}

/** Ends pods in the runtime at `endpoint`; where nothing answers there is nothing to end. */
export const endPods = ({ connect, say }: NodeParts, endpoint: string, whose: "kubelet" | "all"): Promise<void> =>
  withRuntime({ connect }, endpoint, async (runtime) => {
    const version = await runtime.version();
    if (version === undefined) say(`nothing answers on ${endpoint}: no pods to end there`);
    else say(`${version}: ${await runtime.endPods(whose)} pods ended and removed`);
  });

/** Starts Berth's service for good and waits until the socket answers. */
export async function startBerth({ host, connect }: NodeParts, endpoint: string): Promise<void> {
  await host.run("systemctl", ["enable", "--now", "berth.service"], { timeoutMs: 360_000 });
  const version = await withRuntime({ connect }, endpoint, (runtime) => runtime.version());
  if (version === undefined || !isBerth(version)) {
    throw new BerthError("FailedPrecondition", `${version ?? "nothing"} answers on ${endpoint}, not Berth`, {
      hint: "`journalctl --unit berth` tells why; name another configuration with --config",
    });
  }
}

/** Keeps new pods from the node, and drains it where that is asked for. One that somebody else has cordoned stays so. */
export async function cordon({ cluster, journal, say }: NodeParts, drain: boolean): Promise<void> {
  if (!cluster) return;
  if (!(await cluster.get()).spec.unschedulable) {
    await journal.note({ cordoned: true });
    await cluster.cordon();
    say(`node ${cluster.node} is cordoned`);
  }
  if (!drain) return;
  await cluster.drain();
  say(`node ${cluster.node} is drained`);
}

/** Undoes cordon(). */
export async function uncordon({ cluster, journal, say }: NodeParts): Promise<void> {
  if (!cluster || !journal.read()?.cordoned) return;
  await cluster.uncordon();
  await journal.note({ cordoned: false });
  say(`node ${cluster.node} takes pods again`);
}

export async function kubeletRuns(host: Host): Promise<boolean> {
  return ["active", "activating", "reloading"].includes(await serviceState(host, "is-active", "kubelet"));
}

/** Starts the kubelet and waits until it, and in a cluster its node, is well with a runtime that `wanted` takes. */
export async function startKubelet(
  { host, cluster, kubeletIsWell, say }: NodeParts,
  timeoutMs: number,
  wanted: (version: string) => boolean,
): Promise<void> {
  await host.run("systemctl", ["daemon-reload"]);
  await host.run("systemctl", ["restart", "kubelet"]);
  for (const deadline = performance.now() + timeoutMs; !(await kubeletIsWell()); await sleep(1000)) {
    if (performance.now() > deadline) {
      throw new BerthError(
        "DeadlineExceeded",
        `the kubelet does not say within ${timeoutMs / 1000} s that it is well`,
        {
          hint: "`journalctl --unit kubelet` tells why",
        },
      );
    }
  }
  if (cluster) say(`node ${cluster.node} is Ready with ${await cluster.waitForRuntime(wanted)}`);
  else say("the kubelet is well");
}
