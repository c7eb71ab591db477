import { Histogram, type Registry } from "prom-client";
import type { PluginOutcome } from "../../cni/observed-plugin";

export function createCniMetrics(registry: Registry): (outcome: PluginOutcome) => void {
  const durations = new Histogram({
    name: "berth_cni_call_duration_seconds",
    help: "Seconds that calls of CNI plugins took; result is OK or the kind of failure.",
    labelNames: ["plugin", "verb", "result"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [registry],
  });
  return ({ plugin, command, code, seconds }) => durations.observe({ plugin, verb: command, result: code }, seconds);
}
