import type { InterfaceStats } from "../../sys/network-stats";
import type { MetricFamily } from "./family";

type Family = MetricFamily<{ interfaces: InterfaceStats[] }>;

const counter = (name: string, help: string, pick: (stats: InterfaceStats) => bigint): Family => ({
  name: `container_network_${name}_total`,
  help: `Cumulative count of ${help}.`,
  type: "counter",
  labels: ["interface"],
  read: ({ interfaces }) => interfaces.map((each) => ({ value: pick(each), labels: [each.name] })),
});

export const networkFamilies: Family[] = [
  counter("receive_bytes", "bytes received", ({ rxBytes }) => rxBytes),
  counter("receive_packets", "packets received", ({ rxPackets }) => rxPackets),
  counter("receive_packets_dropped", "packets dropped while receiving", ({ rxDropped }) => rxDropped),
  counter("receive_errors", "errors encountered while receiving", ({ rxErrors }) => rxErrors),
  counter("transmit_bytes", "bytes transmitted", ({ txBytes }) => txBytes),
  counter("transmit_packets", "packets transmitted", ({ txPackets }) => txPackets),
  counter("transmit_packets_dropped", "packets dropped while transmitting", ({ txDropped }) => txDropped),
  counter("transmit_errors", "errors encountered while transmitting", ({ txErrors }) => txErrors),
];
