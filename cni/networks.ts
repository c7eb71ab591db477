import { BerthError, codeOf, messageOf } from "../api/errors";
import type { SandboxId } from "../api/ids";
import { faultPoint } from "../sys/fault-points";
import { KeyedLock } from "../sys/keyed-lock";
import { UndoStack } from "../sys/undo";
import type { Attachment } from "./attachment";
import { AttachmentCache } from "./attachment-cache";
import { capabilityArgs, checkPodCidrs, type PodTraits } from "./capabilities";
import { ConfigWatch } from "./config-watch";
import { presentNetns } from "./netns-file";
import type { NetworkConfig } from "./network-config";
import { addToNetwork, askStatus, checkInNetwork, collectGarbage, deleteFromNetwork } from "./network-list";
import { observedCaller, type PluginOutcome } from "./observed-plugin";
import { OperationGate } from "./operation-gate";
import { type CallPlugin, checkPluginsExist, pluginCaller } from "./plugin";
import { podArgs } from "./plugin-args";
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
const statusTimeoutMs = 10_000;

/**
 * The pod networks of this node: which configuration holds, and each sandbox's way in and out. One sandbox's
 * operations run one after the other, different sandboxes' side by side.
 */
export class Networks {
  private readonly cache: AttachmentCache;
  private readonly config: ConfigWatch;
  private readonly probe: StatusProbe;
  private readonly call: CallPlugin;
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
    const caller = (limitMs: number) =>
      observedCaller(pluginCaller({ binDirs, timeoutMs: limitMs }), (outcome) => modules.observe?.(outcome));
    this.call = caller(timeoutMs);
    const callStatus = caller(Math.min(timeoutMs, statusTimeoutMs));
    this.probe = new StatusProbe((network) => askStatus(network, callStatus));
    this.config = new ConfigWatch(
      { confDir },
      { warn: (message) => modules.warn(message), onChange: (network) => this.probe.watch(network) },
    );
  }

  /** Returns once the configuration has been read; from then on it is watched. Nothing about it makes this fail. */
  start(): Promise<void> {
    return this.config.start();
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
   * plugins free what nobody holds (GC), while no other operation runs. Returns what failed and is to be tried again.
   */
  async gc(valid: ReadonlySet<SandboxId>): Promise<string[]> {
    const stale = this.cache.list().filter((id) => !valid.has(id) && !this.settingUp.has(id));
    const failures: string[] = [];
    for (const sandboxId of stale) {
      await this.tearDown({ sandboxId, netnsPath: "" }).catch((error) => failures.push(messageOf(error)));
    }
    const network = this.config.network();
    if (!network) return failures;
    const left = await this.gate.exclusive(() => {
      const kept = new Set([...valid, ...this.cache.list()]);
      const attachments = [...kept].map((containerID) => ({ containerID, ifname: interfaceName }));
      return collectGarbage(network, attachments, this.call);
    });
    return [...failures, ...left];
  }

  /**
   * Drops what is kept of a sandbox without a DEL: for an operator who knows that its plugin will never succeed. Its
   * addresses may stay taken.
   */
  async forget(sandboxId: SandboxId): Promise<void> {
    await this.alone(sandboxId, () => this.cache.remove(sandboxId));
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
    await checkPluginsExist(network, this.options.binDirs);
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
    if (!this.cache.has(id)) return;
    let kept: Attachment;
    try {
      kept = await this.cache.read(id);
    } catch (error) {
      if (codeOf(error) === "FailedPrecondition") return this.removeDamaged(id, netnsPath, messageOf(error));
      // Someone has removed the file.
      if (codeOf(error) === "NotFound") return this.cache.remove(id);
      throw error;
    }
    await this.delete(kept, netnsPath);
    await faultPoint("StopPodSandbox.network-record");
    await this.cache.remove(id);
  }

  // Plugins find what is a sandbox's by its ID: with a damaged record the network of now is the best that there is.
  private async removeDamaged(sandboxId: SandboxId, netnsPath: string, why: string): Promise<void> {
    const network = this.config.network();
    const guess = { sandboxId, netnsPath, ifName: interfaceName, args: "IgnoreUnknown=1", capabilityArgs: {} };
    if (network) await this.delete({ ...guess, network }, netnsPath);
    const aside = await this.cache.setAside(sandboxId);
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
