import { collectDefaultMetrics, Gauge, type Registry } from "prom-client";
import { version } from "../version";

/** The process itself: prom-client's own (memory, CPU, event-loop delay, garbage collections) and what it is. */
export function createProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "berth_build_info",
    help: "Always 1; which Berth runs, and on which Node.js.",
    labelNames: ["version", "node"],
    registers: [registry],
  }).set({ version, node: process.version }, 1);
}
