import { codec, type Init, type StreamContainersRequest, type StreamContainersResponse } from "../../api/messages";
import { containerSummary } from "../container/status";
import type { Services } from "../services";
import { inBatches } from "./stream-batches";
import { selectContainers } from "./list-containers";

export async function* streamContainers(
  services: Services,
  request: StreamContainersRequest,
): AsyncGenerator<Init<StreamContainersResponse>> {
  const containers = selectContainers(services, request).map((container) => ({
    ...containerSummary(container),
    state: container.state,
  }));
  for (const batch of inBatches(containers, codec("Container"))) yield { containers: batch };
}
