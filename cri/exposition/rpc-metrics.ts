import { Counter, Histogram, type Registry } from "prom-client";
import type { LatencyView } from "../page/model";
import type { Rpc, RpcObserver } from "../server/interceptor";
import { latenciesOf } from "./latencies";

const secondsOfRpcs = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

export interface RpcMetrics extends RpcObserver {
  /** What unary RPCs have taken since the start. */
  latencies(): Promise<LatencyView[]>;
}

/** The names and labels of go-grpc-prometheus, which containerd's dashboards are made for, and latencies by outcome. */
export function createRpcMetrics(registry: Registry): RpcMetrics {
  const labelNames = ["grpc_type", "grpc_service", "grpc_method"] as const;
  const registers = [registry];
  const started = new Counter({
    name: "grpc_server_started_total",
    help: "RPCs that were started.",
    labelNames,
    registers,
  });
  const handled = new Counter({
    name: "grpc_server_handled_total",
    help: "RPCs that have ended, by how.",
    labelNames: [...labelNames, "grpc_code"],
    registers,
  });
  const received = new Counter({
    name: "grpc_server_msg_received_total",
    help: "Messages that clients have sent.",
    labelNames,
    registers,
  });
  const sent = new Counter({
    name: "grpc_server_msg_sent_total",
    help: "Messages that were sent to clients.",
    labelNames,
    registers,
  });
  const handling = new Histogram({
    name: "grpc_server_handling_seconds",
    help: "Seconds from an RPC's start to its answer; of a stream, to its end.",
    labelNames,
    buckets: secondsOfRpcs,
    registers,
  });
  const durations = new Histogram({
    name: "berth_rpc_duration_seconds",
    help: "Seconds that unary RPCs took, by how they ended.",
    labelNames: ["method", "code"],
    buckets: secondsOfRpcs,
    registers,
  });
  return {
    started(rpc) {
      started.inc(labelsOf(rpc));
      received.inc(labelsOf(rpc));
    },
    sent: (rpc) => sent.inc(labelsOf(rpc)),
    handled(rpc, { code, seconds }) {
      handled.inc({ ...labelsOf(rpc), grpc_code: code });
      handling.observe(labelsOf(rpc), seconds);
      if (!rpc.stream) durations.observe({ method: rpc.method, code }, seconds);
    },
    latencies: async () => latenciesOf((await durations.get()).values),
  };
}

const labelsOf = ({ service, method, stream }: Rpc) => ({
  grpc_type: stream ? "server_stream" : "unary",
  grpc_service: service,
  grpc_method: method,
});
