import path from "node:path";
import { BerthError, codeOf, messageOf } from "../api/errors";
import type { SandboxId } from "../api/ids";
import { faultPoint } from "../sys/fault-points";
import { KeyedLock } from "../sys/keyed-lock";
import { UndoStack } from "../sys/undo";
import type { Attachment } from "./attachment";
import { AttachmentCache } from "./attachment-cache";
import { runBounded } from "./bounded-process";
import { capabilityArgs, checkPodCidrs, type PodTraits } from "./capabilities";
import { ConfigWatch } from "./config-watch";
import { HostPorts } from "./host-ports";
import { presentNetns } from "./netns-file";
import type { NetworkConfig } from "./network-config";
import {
  addToNetwork,
  askStatus,
  checkInNetwork,
  collectGarbage,
  collectsGarbage,
  deleteFromNetwork,
} from "./network-list";
import { observedCaller, type PluginOutcome } from "./observed-plugin";
import { OperationGate } from "./operation-gate";
import { type CallPlugin, checkPluginsExist, pluginCaller } from "./plugin";
import { namesOfArgs, podArgs } from "./plugin-args";
import { PluginRuns } from "./plugin-runs";
import { type CniResult, podAddresses } from "./result";
import { StatusProbe } from "./status-probe";

export interface NetworksOptions {
  /** Where network configurations lie; need not exist. */
  confDir: string;
  /** Where plugins lie, searched in order. */
  binDirs: string[];
  /** Where attachments are kept; must survive a reboot. Made where it is missing. */
  cacheDir: string;
  /** The longest that one plugin may take. */
  pluginTimeoutMs: number;
}

export interface NetworksModules {
  warn(message: string): void;
  /** Told of every call of a plugin. */
  observe?(outcome: PluginOutcome): void;
}

export interface SandboxNetns {
  sandboxId: SandboxId;
  netnsPath: string;
}

/** A pod to be given a network. */
export interface PodNetwork extends SandboxNetns, PodTraits {
  namespace: string;
  name: string;
  uid: string;
}

export interface PodNetworkResult {
  /** Bare addresses, the pod's first one first; never empty. */
  ips: string[];
  interfaceName: string;
  result: CniResult;
}

/** The NetworkReady condition of CRI's Status. */
export interface NetworkStatus {
  ready: boolean;
  /** Empty when ready. */
  reason: string;
  message: string;
}

const interfaceName = "eth0";
/** Of calls for which others wait, and that may be made again: STATUS and GC. */
const shortTimeoutMs = 10_000;
const teardownsAtOnce = 8;

/**
 * The pod networks of this node: which configuration holds, and each sandbox's way in and out. One sandbox's
 * operations run one after the other, different sandboxes' side by side.
 */
export class Networks {
  private readonly cache: AttachmentCache;
  private readonly config: ConfigWatch;
  private readonly probe: StatusProbe;
  private readonly runs: PluginRuns;
  private readonly call: CallPlugin;
  private readonly callShort: CallPlugin;
  private readonly hostPorts = new HostPorts();
  private readonly locks = new KeyedLock();
  private readonly gate = new OperationGate();
  private readonly settingUp = new Set<SandboxId>();
  private podCidrs: string[] = [];

  constructor(
    private readonly options: NetworksOptions,
    private readonly modules: NetworksModules,
  ) {
    const { confDir, binDirs, cacheDir, pluginTimeoutMs: timeoutMs } = options;
    this.cache = new AttachmentCache(cacheDir);
    this.runs = new PluginRuns(path.join(cacheDir, "running"), runBounded);
    const caller = (limitMs: number) => {
      const call = pluginCaller({ binDirs, timeoutMs: limitMs }, (request) => this.runs.run(request));
      return observedCaller(call, (outcome) => modules.observe?.(outcome));
    };
    this.call = caller(timeoutMs);
    this.callShort = caller(Math.min(timeoutMs, shortTimeoutMs));
    this.probe = new StatusProbe((network) => askStatus(network, this.callShort));
    this.config = new ConfigWatch(
      { confDir },
      { warn: (message) => modules.warn(message), onChange: (network) => this.probe.watch(network) },
    );
  }

  /**
   * Ends plugins that an earlier daemon left running, learns which host ports are taken, and returns once the
   * configuration has been read; from then on it is watched. Nothing about it makes this fail.
   */
  async start(): Promise<void> {
    const { told, left } = await this.runs.endLeftOver();
    if (told.length > 0) this.modules.warn(`CNI plugins still ran for an earlier daemon, ended: ${told.join(", ")}`);
    if (left.length > 0) this.modules.warn(`CNI plugins of an earlier daemon outlive SIGKILL: ${left.join(", ")}`);
    await Promise.all(this.cache.list().map((id) => this.holdPorts(id)));
    await this.config.start();
  }

  /** Stops watching. Operations under way go on to their end. */
  stop(): void {
    this.config.stop();
  }

  /** Whether pods can be given a network. Never waits. */
  status(): NetworkStatus {
    const unready = (message: string) => ({ ready: false, reason: "NetworkPluginNotReady", message });
    const network = this.config.network();
    const problems = this.config.problems().join("; ");
    if (!network) {
      const found = problems ? `no valid network config in ${this.options.confDir}: ${problems}` : undefined;
      return unready(`cni plugin not initialized: ${found ?? `no network config found in ${this.options.confDir}`}`);
    }
    const answer = this.probe.answer();
    if (answer) return unready(`network ${network.name} is not ready: ${answer}`);
    return { ready: true, reason: "", message: problems ? `network ${network.name} is used, not ${problems}` : "" };
  }

  /** The name of the network that new pods get; undefined while there is none. */
  networkName(): string | undefined {
    return this.config.network()?.name;
  }

  /**
   * Gives the pod its network. On failure nothing of it is left; what could not be undone is kept in the cache for
   * tearDown, and the error says so. Throws Unavailable while no network is configured, InvalidArgument for what
   * cannot be told to a plugin, and else what the plugin says (see plugin.ts).
   */
  async setUp(pod: PodNetwork): Promise<PodNetworkResult> {
    this.settingUp.add(pod.sandboxId);
    try {
      return await this.alone(pod.sandboxId, () => this.add(pod));
    } finally {
      this.settingUp.delete(pod.sandboxId);
    }
  }

  /**
   * Takes the sandbox out of its network, by what was kept from setUp and whatever the configuration says now; nothing
   * to do where nothing was kept. The netns may be gone. A failed DEL throws, and leaves the record for a retry.
   */
  tearDown({ sandboxId, netnsPath }: SandboxNetns): Promise<void> {
    return this.alone(sandboxId, () => this.remove(sandboxId, netnsPath));
  }

  /** Asks the plugins whether the sandbox's network is as they made it (CHECK). Throws what they say, or NotFound. */
  check(sandboxId: SandboxId): Promise<void> {
    return this.alone(sandboxId, async () => checkInNetwork(await this.cache.read(sandboxId), this.call));
  }

  /** The sandboxes that still have something to be torn down. */
  attachments(): SandboxId[] {
    return this.cache.list();
  }

  /**
   * Tears down all but `valid`, which must also name sandboxes that are just being made or removed; then has the
   * plugins free what nobody holds (GC), which is left out where an operation runs that everybody would have to wait
   * for. Returns what failed and is to be tried again.
   */
  async gc(valid: ReadonlySet<SandboxId>): Promise<string[]> {
    const stale = this.cache.list().filter((id) => !valid.has(id) && !this.settingUp.has(id));
    const failures: string[] = [];
    const work = async () => {
      for (let sandboxId = stale.shift(); sandboxId; sandboxId = stale.shift()) {
        const what = `the network of sandbox ${sandboxId}`;
        await this.tearDown({ sandboxId, netnsPath: "" }).catch((error) =>
          failures.push(`${what}: ${messageOf(error)}`),
        );
      }
    };
    await Promise.all(Array.from({ length: teardownsAtOnce }, work));
    const network = this.config.network();
    if (!network || !collectsGarbage(network)) return failures;
    const left = await this.gate.exclusiveIfIdle(() => {
      const kept = new Set([...valid, ...this.cache.list()]);
      const attachments = [...kept].map((containerID) => ({ containerID, ifname: interfaceName }));
      return collectGarbage(network, attachments, this.callShort);
    });
    return [...failures, ...(left ?? [])];
  }

  /**
   * Drops what is kept of a sandbox without a DEL: for an operator who knows that its plugin will never succeed. Its
   * addresses may stay taken. Returns whether something was kept.
   */
  forget(sandboxId: SandboxId): Promise<boolean> {
    return this.alone(sandboxId, async () => {
      const isKept = this.cache.has(sandboxId);
      await this.drop(sandboxId);
      return isKept;
    });
  }

  /** The node's pod CIDRs, for plugins with the capability ipRanges (CRI UpdateRuntimeConfig). Throws InvalidArgument. */
  setPodCidrs(cidrs: string[]): void {
    this.podCidrs = checkPodCidrs(cidrs);
  }

  private alone<T>(id: SandboxId, work: () => Promise<T>): Promise<T> {
    return this.locks.run(id, () => this.gate.shared(work));
  }

  private async add(pod: PodNetwork): Promise<PodNetworkResult> {
    const { sandboxId, netnsPath } = pod;
    const network = await this.usableNetwork();
    checkPluginsExist(network, this.options.binDirs);
    const attachment: Attachment = {
      sandboxId,
      network,
      netnsPath,
      ifName: interfaceName,
      args: podArgs(pod),
      capabilityArgs: capabilityArgs(pod, this.podCidrs),
    };
    // A second ADD without a DEL between is not allowed (CNI spec 1.1.0, section 2 "ADD").
    await this.remove(sandboxId, netnsPath);
    this.hostPorts.claim(pod, attachment.capabilityArgs);
    const undo = new UndoStack();
    undo.push(`network ${network.name}`, () => this.remove(sandboxId, netnsPath));
    try {
      await this.cache.write(attachment);
      await faultPoint("RunPodSandbox.network-plugins");
      const { result, raw } = await addToNetwork(attachment, this.call);
      const ips = podAddresses(result);
      if (ips.length === 0) throw new BerthError("Internal", `network ${network.name} gave the pod no address`);
      await faultPoint("RunPodSandbox.network-result");
      await this.cache.write({ ...attachment, result: raw });
      await faultPoint("RunPodSandbox.network-done");
      return { ips, interfaceName, result };
    } catch (error) {
      const left = await undo.unwind();
      if (left.length === 0) throw error;
      const message = `${messageOf(error)}; not undone, to be retried: ${left.join("; ")}`;
      throw new BerthError(codeOf(error), message, { cause: error });
    }
  }

  private async remove(id: SandboxId, netnsPath: string): Promise<void> {
    if (!this.cache.has(id)) return this.hostPorts.release(id);
    let kept: Attachment;
    try {
      kept = await this.cache.read(id);
    } catch (error) {
      if (codeOf(error) === "FailedPrecondition") return this.removeDamaged(id, netnsPath, messageOf(error));
      // Someone has removed the file.
      if (codeOf(error) === "NotFound") return this.drop(id);
      throw error;
    }
    await this.delete(kept, netnsPath);
    await faultPoint("StopPodSandbox.network-record");
    await this.drop(id);
  }

  private async drop(id: SandboxId): Promise<void> {
    await this.cache.remove(id);
    this.hostPorts.release(id);
  }

  private async holdPorts(sandboxId: SandboxId): Promise<void> {
    const kept = await this.cache.read(sandboxId).catch(() => undefined);
    // a damaged record is told when it is used
    if (kept) this.hostPorts.hold({ sandboxId, ...namesOfArgs(kept.args) }, kept.capabilityArgs);
  }

  // Plugins find what is a sandbox's by its ID: with a damaged record the network of now is the best that there is.
  private async removeDamaged(sandboxId: SandboxId, netnsPath: string, why: string): Promise<void> {
    const network = this.config.network();
    const guess = { sandboxId, netnsPath, ifName: interfaceName, args: "IgnoreUnknown=1", capabilityArgs: {} };
    if (network) await this.delete({ ...guess, network }, netnsPath);
    const aside = await this.cache.setAside(sandboxId);
    this.hostPorts.release(sandboxId);
    const done = network ? `network ${network.name} was asked to free what is of it` : "there is no network to ask";
    this.modules.warn(`CNI attachment of sandbox ${sandboxId}: ${why}; ${done}; it now lies at ${aside}`);
  }

  private async delete(attachment: Attachment, netnsPath: string): Promise<void> {
    const present = await presentNetns(netnsPath || attachment.netnsPath);
    await deleteFromNetwork({ ...attachment, netnsPath: present }, this.call);
  }

  private async usableNetwork(): Promise<NetworkConfig> {
    // A file that has just come may not have been noticed yet.
    if (!this.config.network()) await this.config.reload();
    const network = this.config.network();
    if (network) return network;
    throw new BerthError("Unavailable", this.status().message, { hint: "install a network add-on on this node" });
  }
}
