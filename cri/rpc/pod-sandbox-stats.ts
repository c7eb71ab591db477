import type { Init, PodSandboxStatsRequest, PodSandboxStatsResponse } from "../../api/messages";
import type { Services } from "../services";
import { sandboxStats } from "../stats/sandbox-stats";

export async function podSandboxStats(
  services: Services,
  { podSandboxId }: PodSandboxStatsRequest,
): Promise<Init<PodSandboxStatsResponse>> {
  const [stats] = await sandboxStats(services, [services.store.sandboxes.get(podSandboxId)]);
  return { stats };
}
