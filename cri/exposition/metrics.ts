import { Registry } from "prom-client";
import type { PluginOutcome } from "../../cni/observed-plugin";
import type { ImageObserver } from "../../images/image-observer";
import { createCniMetrics } from "./cni-metrics";
import { createImageMetrics } from "./image-metrics";
import type { NodeState } from "./node-state";
import { createProcessMetrics } from "./process-metrics";
import { createRpcMetrics, type RpcMetrics } from "./rpc-metrics";
import { createStateMetrics } from "./state-metrics";

/** All of the daemon's metrics. What there is to be told goes in by the observers; the rest is asked at each scrape. */
export interface Metrics {
  registry: Registry;
  rpc: RpcMetrics;
  cni(outcome: PluginOutcome): void;
  images: ImageObserver;
  /** To be called once there is something to look at. */
  watch(state: NodeState): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  createProcessMetrics(registry);
  return {
    registry,
    rpc: createRpcMetrics(registry),
    cni: createCniMetrics(registry),
    images: createImageMetrics(registry),
    watch: (state) => createStateMetrics(registry, state),
  };
}
