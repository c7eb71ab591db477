import { collectDefaultMetrics, Gauge, Histogram, type Registry } from "prom-client";
import { version } from "../version";

/** prom-client would look every 10 ms, for which an idle daemon would wake 100 times a second. */
const lookEveryMs = 200;

/** The process itself: prom-client's own (memory, CPU, garbage collections), what it is, and how late it comes to work. */
export function createProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 10_000 });
  for (const { name } of registry.getMetricsAsArray()) {
    if (name.startsWith("nodejs_eventloop_lag")) registry.removeSingleMetric(name);
  }
  new Gauge({
    name: "berth_build_info",
    help: "Always 1; which Berth runs, and on which Node.js.",
    labelNames: ["version", "node"],
    registers: [registry],
  }).set({ version, node: process.version }, 1);
  const delay = new Histogram({
    name: "berth_event_loop_delay_seconds",
    help: `How late the daemon comes to what it has to do, looked at every ${lookEveryMs} ms.`,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [registry],
  });
  let dueMs = performance.now() + lookEveryMs;
  const look = () => {
    const nowMs = performance.now();
    delay.observe(Math.max(0, nowMs - dueMs) / 1000);
    dueMs = nowMs + lookEveryMs;
  };
  setInterval(look, lookEveryMs).unref();
}
