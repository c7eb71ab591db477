import type { Init, ListContainerStatsRequest, ListContainerStatsResponse } from "../../api/messages";
import type { Services } from "../services";
import { containerStats } from "../stats/container-stats";
import { selectContainers } from "../stats/select";

export async function listContainerStats(
  services: Services,
  { filter }: ListContainerStatsRequest,
): Promise<Init<ListContainerStatsResponse>> {
  return { stats: await containerStats(services, selectContainers(services.store, filter)) };
}
