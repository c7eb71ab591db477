import {
  codec,
  type Init,
  type StreamContainerStatsRequest,
  type StreamContainerStatsResponse,
} from "../../api/messages";

import type { Services } from "../services";
import { inBatches } from "./stream-batches";
import { listContainerStats } from "./list-container-stats";

export async function* streamContainerStats(
  services: Services,
  request: StreamContainerStatsRequest,
): AsyncGenerator<Init<StreamContainerStatsResponse>> {
  const { stats = [] } = await listContainerStats(services, request);
  for (const containerStats of inBatches(stats, codec("ContainerStats"))) yield { containerStats };
}
