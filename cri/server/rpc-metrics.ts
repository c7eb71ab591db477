import { Counter, Histogram, type Registry } from "prom-client";

/** The names and labels of go-grpc-prometheus, which containerd's dashboards are made for. */
export interface RpcMetrics {
  started(service: string, method: string): void;
  handled(call: { service: string; method: string; code: string; seconds: number }): void;
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
  return {
    started: (service, method) => started.inc({ grpc_type: "unary", grpc_service: service, grpc_method: method }),
    handled: ({ service, method, code, seconds }) => {
      handled.inc({ grpc_type: "unary", grpc_service: service, grpc_method: method, grpc_code: code });
      handling.observe({ grpc_type: "unary", grpc_service: service, grpc_method: method }, seconds);
    },
  };
}
