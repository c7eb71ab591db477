import {
  codec,
  type Init,
  type StreamPodSandboxStatsRequest,
  type StreamPodSandboxStatsResponse,
} from "../../api/messages";

import type { Services } from "../services";
import { inBatches } from "./stream-batches";
import { listPodSandboxStats } from "./list-pod-sandbox-stats";

export async function* streamPodSandboxStats(
  services: Services,
  request: StreamPodSandboxStatsRequest,
): AsyncGenerator<Init<StreamPodSandboxStatsResponse>> {
  const { stats = [] } = await listPodSandboxStats(services, request);
  for (const podSandboxStats of inBatches(stats, codec("PodSandboxStats"))) yield { podSandboxStats };
}
