import { codec, type Init, type StreamPodSandboxMetricsResponse } from "../../api/messages";
import type { Services } from "../services";
import { inBatches } from "./stream-batches";
import { listPodSandboxMetrics } from "./list-pod-sandbox-metrics";

export async function* streamPodSandboxMetrics(
  services: Services,
): AsyncGenerator<Init<StreamPodSandboxMetricsResponse>> {
  const { podMetrics = [] } = await listPodSandboxMetrics(services);
  for (const podSandboxMetrics of inBatches(podMetrics, codec("PodSandboxMetrics"))) yield { podSandboxMetrics };
}
