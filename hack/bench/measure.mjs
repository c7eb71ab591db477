// The calls that are timed, and the pods that they are made for.
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cpu, memory } from "./processes.mjs";

/** Of the CRI's NamespaceMode. */
const [POD, CONTAINER, NODE] = [0, 1, 2];
/** How many of many pods are ended at once. */
const ENDED_AT_ONCE = 20;

/** Measures one runtime; `figures` has what was seen so far, by the keys of bars.mjs. */
export class Measured {
  figures = {};
  /** By number of pods: { podUp, burst, memory }, for the plots. */
  byPods = new Map();
  pods = [];
  #counter = 0;

  /** @param runtime see berth.mjs and containerd.mjs; @param options { directory, cgroup, image, signal } */
  constructor(runtime, options) {
    this.runtime = runtime;
    this.options = options;
  }

  get name() {
    return this.runtime.name;
  }

  add(key, value) {
    this.figures[key] ??= [];
    this.figures[key].push(value);
  }

  call(method, request) {
    this.options.signal.throwIfAborted();
    return this.runtime.client.runtime(method, request, { timeoutMs: 300_000 });
  }

  async #timed(times, method, request) {
    const began = performance.now();
    const answer = await this.call(method, request);
    times[method] = performance.now() - began;
    return answer;
  }

  /** Brings a pod up; what each call took in ms. `over` is of the sandbox: { hostNetwork, started }. */
  async up({ hostNetwork = false, started = true } = {}) {
    const { directory, cgroup, image } = this.options;
    const name = `bench-${++this.#counter}`;
    const config = {
      metadata: { name, namespace: "bench", uid: name },
      logDirectory: path.join(directory, "logs", this.name.replaceAll(/\W+/g, "-"), name),
      linux: {
        cgroupParent: cgroup,
        // what the kubelet asks for; without it containers would share their pod's PID namespace
        securityContext: { namespaceOptions: { network: hostNetwork ? NODE : POD, pid: CONTAINER, ipc: POD } },
      },
    };
    const container = {
      metadata: { name: "main" },
      image: { image },
      command: ["sleep", "100000"],
      logPath: "main.log",
      linux: { securityContext: config.linux.securityContext },
    };
    const times = {};
    const began = performance.now();
    const { podSandboxId } = await this.#timed(times, "RunPodSandbox", { config });
    const created = { podSandboxId, config: container, sandboxConfig: config };
    const { containerId } = await this.#timed(times, "CreateContainer", created);
    if (started) await this.#timed(times, "StartContainer", { containerId });
    times.podUp = performance.now() - began;
    return { podSandboxId, containerId, times };
  }

  /** Takes a pod down; milliseconds. */
  async down({ podSandboxId, containerId }) {
    const began = performance.now();
    await this.call("StopContainer", { containerId, timeout: 0n });
    await this.call("RemoveContainer", { containerId });
    await this.call("StopPodSandbox", { podSandboxId });
    await this.call("RemovePodSandbox", { podSandboxId });
    return performance.now() - began;
  }

  /** One pod from its beginning to its end; nothing is kept of the first, which finds caches cold. */
  async single({ keep = true } = {}) {
    const pod = await this.up();
    const exec = [];
    for (let n = 0; n < 3; n++) {
      const began = performance.now();
      await this.call("ExecSync", { containerId: pod.containerId, cmd: ["true"], timeout: 30n });
      exec.push(performance.now() - began);
    }
    const tornDown = await this.down(pod);
    if (!keep) return;
    for (const [key, value] of Object.entries(pod.times)) this.add(key, value);
    for (const value of exec) this.add("ExecSync", value);
    this.add("tornDown", tornDown);
  }

  /** So many pods at once; milliseconds until all are up. They stay. */
  async burst(count) {
    const began = performance.now();
    this.pods.push(...(await all(Array.from({ length: count }, () => this.up()))));
    return performance.now() - began;
  }

  /** Takes all pods down. */
  async clear() {
    const rest = this.pods.splice(0);
    while (rest.length > 0) await all(rest.splice(0, ENDED_AT_ONCE).map((pod) => this.down(pod)));
  }

  /** What it costs to have so many pods: memory once helpers have ended, and the time for one more. */
  async looked(count, { settleMs, singles }) {
    await sleep(settleMs, undefined, { signal: this.options.signal });
    const taken = memory(this.runtime);
    const podUp = [];
    for (let n = 0; n < singles; n++) {
      const pod = await this.up();
      podUp.push(pod.times.podUp);
      await this.down(pod);
    }
    this.byPods.set(count, { ...this.byPods.get(count), podUp, memory: taken });
    return taken;
  }

  /** `unkept` calls come before those that count: the benchmark's own client gets faster by the first hundreds. */
  async timeLists(methods, times, { unkept = 1 } = {}) {
    for (let n = 0; n < unkept + times; n++)
      for (const method of methods) {
        const began = performance.now();
        try {
          await this.call(method, {});
        } catch (error) {
          if (error.code !== "Unimplemented") throw error;
          continue;
        }
        if (n >= unkept) this.add(method, performance.now() - began);
      }
  }

  /** Asks as the kubelet does, for so many seconds; CPU seconds a minute of the daemon and of its monitors or shims. */
  async idle(seconds) {
    const before = cpu(this.runtime);
    for (let second = 1; second <= seconds; second++) {
      await sleep(1000, undefined, { signal: this.options.signal });
      const lists = ["ListPodSandbox", "ListContainers"];
      if (second % 10 === 0) lists.push("ListPodSandboxStats", "ListContainerStats");
      for (const method of lists) await this.call(method, {});
    }
    const after = cpu(this.runtime);
    const aMinute = (kind) => ((after[kind] - before[kind]) * 60) / seconds;
    this.add("idleCpu", aMinute("daemon"));
    this.add("idleCpuOfMonitors", aMinute("monitors"));
  }

  async restart() {
    await this.runtime.stop();
    this.add("start", await this.runtime.start());
    const { containers } = await this.call("ListContainers", {});
    if (containers.length !== this.pods.length)
      throw new Error(`${this.name}: ${containers.length} of ${this.pods.length} containers are listed after a start`);
  }

  /** Seconds of a pull of an image that is not there. */
  async pull(image) {
    const began = performance.now();
    await this.runtime.client.image("PullImage", { image: { image } });
    return (performance.now() - began) / 1000;
  }
}

/** Waits for all, so that nothing is under way when the first failure is told. */
async function all(work) {
  const results = await Promise.allSettled(work);
  const failed = results.filter(({ status }) => status === "rejected");
  if (failed.length > 0)
    throw new Error(`${failed.length} of ${work.length} failed: ${failed[0].reason.message}`, {
      cause: failed[0].reason,
    });
  return results.map(({ value }) => value);
}
