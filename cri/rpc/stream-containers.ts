import { codec, type Init, type StreamContainersRequest, type StreamContainersResponse } from "../../api/messages";

import type { Services } from "../services";
import { inBatches } from "./stream-batches";
import { listContainers } from "./list-containers";

export async function* streamContainers(
  services: Services,
  request: StreamContainersRequest,
): AsyncGenerator<Init<StreamContainersResponse>> {
  const { containers = [] } = await listContainers(services, request);
  for (const batch of inBatches(containers, codec("Container"))) yield { containers: batch };
}
