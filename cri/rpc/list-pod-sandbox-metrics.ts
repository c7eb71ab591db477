import type { Init, ListPodSandboxMetricsResponse } from "../../api/messages";
import { podMetrics } from "../metrics/pod-metrics";
import type { Services } from "../services";

export async function listPodSandboxMetrics(services: Services): Promise<Init<ListPodSandboxMetricsResponse>> {
  return { podMetrics: await podMetrics(services) };
}
