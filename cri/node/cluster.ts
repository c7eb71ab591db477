import { setTimeout as sleep } from "node:timers/promises";
import { BerthError, messageOf } from "../../api/errors";
import type { Host } from "./host";

/** What is read of a Node (core/v1). */
interface NodeObject {
  metadata: { annotations?: Record<string, string> };
  spec: { unschedulable?: boolean };
  status: {
    nodeInfo: { containerRuntimeVersion: string };
    conditions?: { type: string; status: string; message?: string }[];
  };
}

export interface ClusterOptions {
  host: Host;
  /** The node's name in the cluster. */
  node: string;
  kubeconfig: string;
  /** The longest that a condition is waited for. */
  timeoutMs: number;
}

/** kubeadm reads a node's runtime from here (kubeadm.alpha.kubernetes.io/cri-socket) until NodeLocalCRISocket. */
const criSocketAnnotation = "kubeadm.alpha.kubernetes.io/cri-socket";
const pollMs = 2000;

/** The node as the cluster has it, by kubectl. */
export class Cluster {
  constructor(private readonly options: ClusterOptions) {}

  get node(): string {
    return this.options.node;
  }

  async get(): Promise<NodeObject> {
    return JSON.parse(await this.kubectl("get", "node", this.node, "--output=json"));
  }

  criSocketOf = (node: NodeObject): string | null => node.metadata.annotations?.[criSocketAnnotation] ?? null;

  /** null takes the annotation away. */
  async setCriSocket(value: string | null): Promise<void> {
    const word = value === null ? `${criSocketAnnotation}-` : `${criSocketAnnotation}=${value}`;
    await this.kubectl("annotate", "--overwrite", "node", this.node, word);
  }

  cordon = () => this.kubectl("cordon", this.node);
  uncordon = () => this.kubectl("uncordon", this.node);

  async drain(): Promise<void> {
    const options = ["--ignore-daemonsets", "--delete-emptydir-data", `--timeout=${this.options.timeoutMs / 1000}s`];
    await this.run(["drain", this.node, ...options], this.options.timeoutMs + 10_000);
  }

  /** Waits until the node is Ready and its runtime one that `wanted` takes, such as "berth://0.1.0". */
  async waitForRuntime(wanted: (version: string) => boolean): Promise<string> {
    const deadline = performance.now() + this.options.timeoutMs;
    for (;;) {
      let seen: string;
      try {
        const { status } = await this.get();
        const version = status.nodeInfo.containerRuntimeVersion;
        const ready = status.conditions?.find(({ type }) => type === "Ready");
        if (wanted(version) && ready?.status === "True") return version;
        seen = `runtime ${version}, Ready ${ready?.status ?? "unknown"}: ${ready?.message ?? ""}`;
      } catch (error) {
        seen = messageOf(error); // the API server may be a pod of this very node
      }
      if (performance.now() > deadline) {
        throw new BerthError("DeadlineExceeded", `node ${this.node} is not ready with its new runtime: ${seen}`);
      }
      await sleep(pollMs);
    }
  }

  async runtimeClasses(): Promise<string[]> {
    return this.names("runtimeclasses.node.k8s.io", "{range .items[*]}{.metadata.name}{'\\n'}{end}");
  }

  /** A manifest with some RuntimeClasses. False where these credentials may not make them. */
  async apply(manifest: string): Promise<boolean> {
    try {
      await this.options.host.run("kubectl", [...this.credentials(), "apply", "--filename=-"], { input: manifest });
      return true;
    } catch (error) {
      if (/forbidden/i.test(messageOf(error))) return false;
      throw error;
    }
  }

  async removeRuntimeClasses(names: string[]): Promise<void> {
    await this.kubectl("delete", "--ignore-not-found", "runtimeclass", ...names);
  }

  /** The runtimes of all nodes but this one. */
  async runtimesElsewhere(): Promise<string[]> {
    const line = "{.metadata.name}{' '}{.status.nodeInfo.containerRuntimeVersion}{'\\n'}";
    const lines = await this.names("nodes", `{range .items[*]}${line}{end}`);
    return lines.map((one) => one.split(" ")).flatMap(([name, version]) => (name === this.node ? [] : [version ?? ""]));
  }

  private async names(kind: string, template: string): Promise<string[]> {
    return (await this.kubectl("get", kind, `--output=jsonpath=${template}`)).split("\n").filter(Boolean);
  }

  private kubectl = (...args: string[]) => this.run([...args, "--request-timeout=30s"], 60_000);
  private credentials = () => ["--kubeconfig", this.options.kubeconfig];

  private async run(args: string[], timeoutMs: number): Promise<string> {
    return this.options.host.run("kubectl", [...this.credentials(), ...args], { timeoutMs });
  }
}
