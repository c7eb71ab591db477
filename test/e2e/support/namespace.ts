import { uniqueId } from "../../../hack/support/unique.cjs";
import { eventually } from "./eventually";
import {
  core,
  type KubernetesObject,
  objects,
  type V1Container,
  type V1ContainerStatus,
  type V1Pod,
  type V1PodSpec,
} from "./kubernetes";
import { kubectl, type Outcome, output, run } from "./run";

/** A static busybox; its tag never moves, so it is pulled once. Version 2 differs by /etc/version. */
export const BUSYBOX = "e2e/busybox:1";
export const BUSYBOX_2 = "e2e/busybox:2";
/** Kubernetes' own server for tests: HTTP, gRPC health, and more. */
export const AGNHOST = "e2e/agnhost:latest";

/** A container that runs a line of shell. */
export function shell(script: string, more: Partial<V1Container> = {}): V1Container {
  return { name: "main", image: BUSYBOX, command: ["sh", "-c", script], ...more };
}

/** A container that does nothing until it is told to end, and then ends at once. */
export const idle = (more: Partial<V1Container> = {}) =>
  shell("trap exit TERM; while :; do sleep 1 & wait $!; done", more);

export const statusOf = (pod: V1Pod, container = "main"): V1ContainerStatus | undefined =>
  [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.ephemeralContainerStatuses ?? []),
  ].find(({ name }) => name === container);

export const isReady = (pod: V1Pod) =>
  pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

const hasEnded = (pod: V1Pod) => ["Succeeded", "Failed"].includes(pod.status?.phase ?? "");

type PodSource = Partial<V1PodSpec> & { labels?: Record<string, string>; annotations?: Record<string, string> };

/** A namespace of one test file, and its pods. */
export class Namespace {
  private constructor(readonly name: string) {}

  /** Makes it, and waits for the account that its pods run as. */
  static async create(purpose: string): Promise<Namespace> {
    const namespace = new Namespace(`${purpose}-${uniqueId()}`);
    await eventually("the API server takes a namespace", async () => {
      await objects.create({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: namespace.name },
      } as KubernetesObject);
      return true;
    });
    const account = { name: "default", namespace: namespace.name };
    await eventually("the default service account", () => core.readNamespacedServiceAccount(account));
    return namespace;
  }

  /** Removes it with all that is in it, and waits until the last pod is gone. */
  async remove(): Promise<void> {
    await kubectl("delete", "namespace", this.name, "--timeout=170s");
  }

  /** Creates an object of any kind in it. */
  create(object: Record<string, unknown> & { metadata: { name: string } }) {
    return objects.create({ ...object, metadata: { ...object.metadata, namespace: this.name } } as KubernetesObject);
  }

  /** Creates a pod that is not restarted and goes quickly, unless told otherwise. */
  pod(name: string, { labels, annotations, ...spec }: PodSource): Promise<V1Pod> {
    const metadata = { name, labels, annotations };
    const defaults = { restartPolicy: "Never", terminationGracePeriodSeconds: 2, automountServiceAccountToken: false };
    return this.create({ apiVersion: "v1", kind: "Pod", metadata, spec: { ...defaults, ...spec } }) as Promise<V1Pod>;
  }

  read = (name: string): Promise<V1Pod> => core.readNamespacedPod({ name, namespace: this.name });

  until(name: string, what: string, good: (pod: V1Pod) => boolean, timeoutMs?: number): Promise<V1Pod> {
    return eventually(`pod ${name} ${what}`, () => this.read(name), good, timeoutMs);
  }

  ready = (name: string) => this.until(name, "is Ready", isReady);
  ended = (name: string) => this.until(name, "has ended", hasEnded);

  async readyPod(name: string, source: PodSource): Promise<V1Pod> {
    await this.pod(name, source);
    return this.ready(name);
  }

  /** Runs a pod to its end and gives the log of its container `main`. Throws where it fails. */
  async outputOf(name: string, source: PodSource): Promise<string> {
    await this.pod(name, source);
    const pod = await this.ended(name);
    const log = await this.log(name, "--container=main");
    if (pod.status?.phase !== "Succeeded")
      throw new Error(`pod ${name} failed: ${JSON.stringify(pod.status)}; its log: ${log}`);
    return log;
  }

  async delete(name: string): Promise<void> {
    await kubectl("delete", "pod", name, `--namespace=${this.name}`, "--timeout=170s");
  }

  kubectl = (...args: string[]) => kubectl(`--namespace=${this.name}`, ...args);
  tryKubectl = (args: string[], input?: string | Buffer): Promise<Outcome> =>
    run("kubectl", [`--namespace=${this.name}`, ...args], input);

  log = (name: string, ...options: string[]) => this.kubectl("logs", name, ...options);
  /** What a command in the pod's container `main` prints. */
  exec = (name: string, ...command: string[]) => this.kubectl("exec", name, "--container=main", "--", ...command);

  /** Messages of the events about an object, as "Reason: message". */
  async events(name: string): Promise<string[]> {
    const { items } = await core.listNamespacedEvent({ namespace: this.name });
    return items
      .filter((one) => one.involvedObject.name === name)
      .map(({ reason, message }) => `${reason}: ${message}`);
  }

  /** The ID of a pod's container as the CRI knows it. */
  async containerId(name: string, container = "main"): Promise<string> {
    const id = statusOf(await this.read(name), container)?.containerID ?? "";
    return id.replace(/^.*:\/\//, "");
  }
}

/** What crictl says of a container. */
export const inspect = async (id: string) => JSON.parse(await output("crictl", "inspect", id));
