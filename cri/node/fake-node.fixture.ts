import path from "node:path";
import { Cluster } from "./cluster";
import type { Host } from "./host";
import { Journal } from "./journal";
import type { NodeOptions, NodeParts } from "./parts";
import type { Runtime } from "./runtime";

export const berthEndpoint = "unix:///run/berth/berth.sock";
export const containerdEndpoint = "unix:///run/containerd/containerd.sock";

/**
 * A node with containerd, kubeadm's files and a cluster, that does what its programs are told: `systemctl` keeps states,
 * the kubelet reports the runtime that its files name, `kubectl` speaks for an API server. `failAt` makes the step of
 * that number fail, a step being anything that changes something.
 */
export class FakeNode {
  files: { [file: string]: string } = {
    "/var/lib/kubelet/config.yaml": "kind: KubeletConfiguration\n",
    "/var/lib/kubelet/kubeadm-flags.env": `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${containerdEndpoint}"\n`,
    "/etc/crictl.yaml": `runtime-endpoint: ${containerdEndpoint}\n`,
  };
  /** One of them empty, as packages leave some. */
  directories = new Set([
    ...["/", "/etc", "/etc/systemd", "/etc/systemd/system", "/etc/systemd/system/kubelet.service.d"],
    ...["/var", "/var/lib", "/var/lib/kubelet"],
  ]);
  active = new Set(["kubelet", "containerd"]);
  enabled = new Set(["kubelet", "containerd"]);
  unschedulable = false;
  criSocket: string | undefined = containerdEndpoint;
  runtimeClasses = ["gvisor"];
  elsewhere = "containerd://2.3.4";
  pods: { [endpoint: string]: number } = { [containerdEndpoint]: 3, [berthEndpoint]: 0 };
  /** What the kubelet has told the API server. */
  containerRuntimeVersion = "containerd://2.3.4";
  steps: string[] = [];
  said: string[] = [];
  failAt = Number.POSITIVE_INFINITY;

  options: NodeOptions = {
    endpoint: berthEndpoint,
    kubeletConfig: "/var/lib/kubelet/config.yaml",
    release: path.join(__dirname, "../.."),
    drain: false,
    timeoutMs: 1,
  };

  /** All that an operator sees of it, for comparing before and after. */
  picture() {
    const { files, directories, active, enabled, unschedulable, criSocket, runtimeClasses, containerRuntimeVersion } =
      this;
    return structuredClone({
      files,
      directories: [...directories].sort(),
      active: [...active].sort(),
      enabled: [...enabled].sort(),
      unschedulable,
      criSocket,
      runtimeClasses,
      containerRuntimeVersion,
      berthPods: this.pods[berthEndpoint],
    });
  }

  parts(): NodeParts {
    const host = this.host();
    return {
      host,
      journal: new Journal(host),
      cluster: new Cluster({ host, node: "node-1", kubeconfig: "/etc/kubernetes/admin.conf", timeoutMs: 1 }),
      connect: (endpoint) => this.runtime(endpoint),
      kubeletIsWell: async () => this.active.has("kubelet"),
      say: (line) => void this.said.push(line),
    };
  }

  private step(what: string): void {
    this.steps.push(what);
    if (this.steps.length === this.failAt) throw new Error(`step ${this.failAt} fails: ${what}`);
  }

  private host(): Host {
    return {
      read: (file) => this.files[file],
      write: async (file, text) => {
        this.step(`write ${file}`);
        for (const each of this.missingAbove(file)) this.directories.add(each);
        this.files[file] = text;
      },
      missingAbove: (file) => this.missingAbove(file),
      remove: (file) => void delete this.files[file],
      removeDirectory: (directory) => {
        const within = (each: string) => each.startsWith(`${directory}/`);
        if (![...Object.keys(this.files), ...this.directories].some(within)) this.directories.delete(directory);
      },
      run: async (command, args, options) => {
        if (command === "systemctl") return this.systemctl(args);
        if (command === "kubectl") return this.kubectl(args.slice(2), options?.input);
        throw new Error(`no such program: ${command}`);
      },
    };
  }

  private missingAbove(file: string): string[] {
    const above = path.dirname(file);
    return this.directories.has(above) ? [] : [above, ...this.missingAbove(above)];
  }

  private runtime(endpoint: string): Runtime {
    const answers = endpoint === containerdEndpoint || this.active.has("berth.service");
    return {
      version: async () => (answers ? this.versionAt(endpoint) : undefined),
      endPods: async () => {
        this.step(`end pods of ${endpoint}`);
        const count = this.pods[endpoint]!;
        this.pods[endpoint] = 0;
        return count;
      },
      close: () => {},
    };
  }

  private versionAt = (endpoint: string) => (endpoint === berthEndpoint ? "berth://0.1.0" : "containerd://2.3.4");

  private systemctl(args: string[]): string {
    const [verb, ...rest] = args;
    const units = rest.filter((word) => !word.startsWith("-"));
    if (verb === "is-active") return this.active.has(units[0]!) ? "active\n" : "inactive\n";
    if (verb === "is-enabled") return this.enabled.has(units[0]!) ? "enabled\n" : "disabled\n";
    this.step(`systemctl ${args.join(" ")}`);
    for (const unit of units) {
      if (verb === "enable") this.enabled.add(unit);
      if (verb === "disable") this.enabled.delete(unit);
      if (verb === "enable" || verb === "restart") this.active.add(unit);
      if (verb === "disable" || verb === "stop") this.active.delete(unit);
      if (verb === "restart" && unit === "kubelet") this.kubeletReports();
    }
    return "";
  }

  private kubeletReports(): void {
    const endpoint = /endpoint=([^" ]+)/.exec(this.files["/var/lib/kubelet/kubeadm-flags.env"]!)![1]!;
    this.containerRuntimeVersion = this.versionAt(endpoint);
    this.pods[endpoint] = 3;
  }

  private kubectl(args: string[], input = ""): string {
    const [verb, kind] = args;
    if (verb === "get" && kind === "node") return JSON.stringify(this.nodeObject());
    if (verb === "get" && kind === "nodes") return `node-1 ${this.containerRuntimeVersion}\nnode-2 ${this.elsewhere}\n`;
    if (verb === "get") return this.runtimeClasses.map((name) => `${name}\n`).join("");
    this.step(`kubectl ${args.join(" ")}`);
    const value = /cri-socket(?:=(.*)|-)$/.exec(args.at(-2) ?? "")?.[1];
    if (verb === "cordon") this.unschedulable = true;
    if (verb === "uncordon") this.unschedulable = false;
    if (verb === "annotate") this.criSocket = value;
    if (verb === "apply")
      this.runtimeClasses.push(...[...input.matchAll(/^ {2}name: (\S+)/gm)].map(([, name]) => name!));
    if (verb === "delete") this.runtimeClasses = this.runtimeClasses.filter((name) => !args.includes(name));
    return "";
  }

  private nodeObject() {
    const annotations = { "kubeadm.alpha.kubernetes.io/cri-socket": this.criSocket };
    return {
      metadata: { annotations },
      spec: { unschedulable: this.unschedulable || undefined },
      status: {
        nodeInfo: { containerRuntimeVersion: this.containerRuntimeVersion },
        conditions: [{ type: "Ready", status: "True" }],
      },
    };
  }
}
