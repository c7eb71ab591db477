import { codec, type Init, type StreamPodSandboxesRequest, type StreamPodSandboxesResponse } from "../../api/messages";
import { sandboxSummary } from "../sandbox/status";
import type { Services } from "../services";
import { inBatches } from "./stream-batches";
import { selectSandboxes } from "./list-pod-sandbox";

export async function* streamPodSandboxes(
  services: Services,
  request: StreamPodSandboxesRequest,
): AsyncGenerator<Init<StreamPodSandboxesResponse>> {
  const items = selectSandboxes(services, request).map(({ object, state }) => ({ ...sandboxSummary(object), state }));
  for (const podSandboxes of inBatches(items, codec("PodSandbox"))) yield { podSandboxes };
}
