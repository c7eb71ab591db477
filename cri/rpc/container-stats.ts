import type { ContainerStatsRequest, ContainerStatsResponse, Init } from "../../api/messages";
import type { Services } from "../services";
import { containerStats as statsOf } from "../stats/container-stats";

export async function containerStats(
  services: Services,
  { containerId }: ContainerStatsRequest,
): Promise<Init<ContainerStatsResponse>> {
  const [stats] = await statsOf(services, [services.store.containers.get(containerId)]);
  return { stats };
}
