import { codec, type Init, type StreamPodSandboxesRequest, type StreamPodSandboxesResponse } from "../../api/messages";

import type { Services } from "../services";
import { inBatches } from "./stream-batches";
import { listPodSandbox } from "./list-pod-sandbox";

export async function* streamPodSandboxes(
  services: Services,
  request: StreamPodSandboxesRequest,
): AsyncGenerator<Init<StreamPodSandboxesResponse>> {
  const { items = [] } = await listPodSandbox(services, request);
  for (const podSandboxes of inBatches(items, codec("PodSandbox"))) yield { podSandboxes };
}
