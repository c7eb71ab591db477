import { Counter, Histogram, type Registry } from "prom-client";

/** The names and labels of go-grpc-prometheus, which containerd's dashboards are made for. */
export interface RpcMetrics {
  started(rpc: Rpc): void;
  handled(rpc: Rpc, outcome: { code: string; seconds: number }): void;
}

interface Rpc {
  /** As gRPC names it: runtime.v1.RuntimeService */
  service: string;
  method: string;
  /** The answer is a stream. */
  stream: boolean;
}

export function createRpcMetrics(registry: Registry): RpcMetrics {
  const labels = ["grpc_type", "grpc_service", "grpc_method"] as const;
  const registers = [registry];
  const started = new Counter({
    name: "grpc_server_started_total",
    help: "Total number of RPCs started on the server.",
    labelNames: labels,
    registers,
  });
  const handled = new Counter({
    name: "grpc_server_handled_total",
    help: "Total number of RPCs completed on the server, regardless of success or failure.",
    labelNames: [...labels, "grpc_code"],
    registers,
  });
  const handling = new Histogram({
    name: "grpc_server_handling_seconds",
    help: "Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.",
    labelNames: labels,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
    registers,
  });
  const labelsOf = ({ service, method, stream }: Rpc) => ({
    grpc_type: stream ? "server_stream" : "unary",
    grpc_service: service,
    grpc_method: method,
  });
  return {
    started: (rpc) => started.inc(labelsOf(rpc)),
    handled: (rpc, { code, seconds }) => {
      handled.inc({ ...labelsOf(rpc), grpc_code: code });
      handling.observe(labelsOf(rpc), seconds);
    },
  };
}
