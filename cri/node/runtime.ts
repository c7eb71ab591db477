import { BerthError } from "../../api/errors";
import { Client } from "../client/client";

/** A container runtime of the node, this one or the one before it. */
export interface Runtime {
  /** Its name and version, such as "berth://0.1.0"; undefined where nothing answers. */
  version(): Promise<string | undefined>;
  /** Ends and removes pods, the kubelet's or all, giving each container its grace; their number. Images stay. */
  endPods(whose: "kubelet" | "all"): Promise<number>;
  close(): void;
}

/** The kubelet's own default for a pod that names none (terminationGracePeriodSeconds), in seconds. */
const graceS = 30;
const timeoutMs = 120_000;
/** A label of every pod that a kubelet has made. */
const podUid = "io.kubernetes.pod.uid";

/** Speaks to whatever serves the CRI on `endpoint`, "unix:///..." or a path. */
export function connectRuntime(endpoint: string): Runtime {
  const client = new Client(endpoint.replace(/^unix:\/\//, ""));
  return {
    async version() {
      try {
        const { runtimeName, runtimeVersion } = await client.runtime("Version", {}, { timeoutMs: 10_000 });
        return `${runtimeName}://${runtimeVersion}`;
      } catch (error) {
        if (error instanceof BerthError && error.code === "Unavailable") return undefined;
        throw error;
      }
    },

    async endPods(whose) {
      const { items } = await client.runtime("ListPodSandbox", {}, { timeoutMs });
      const pods = items.filter(({ labels }) => whose === "all" || labels[podUid] !== undefined);
      await Promise.all(
        pods.map(async ({ id }) => {
          const { containers } = await client.runtime(
            "ListContainers",
            { filter: { podSandboxId: id } },
            { timeoutMs },
          );
          const stop = { timeout: BigInt(graceS) };
          await Promise.all(
            containers.map((one) => client.runtime("StopContainer", { containerId: one.id, ...stop }, { timeoutMs })),
          );
          await client.runtime("StopPodSandbox", { podSandboxId: id }, { timeoutMs });
          await client.runtime("RemovePodSandbox", { podSandboxId: id }, { timeoutMs });
        }),
      );
      return pods.length;
    },

    close: () => client.close(),
  };
}
