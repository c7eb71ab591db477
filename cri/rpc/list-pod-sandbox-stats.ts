import {
  type Init,
  type ListPodSandboxStatsRequest,
  type ListPodSandboxStatsResponse,
  PodSandboxState,
} from "../../api/messages";
import { currentState } from "../sandbox/status";
import type { Services } from "../services";
import { sandboxStats } from "../stats/sandbox-stats";
import { selectSandboxes } from "../stats/select";

/** Of READY pods alone: the kubelet would count a stopped one's beside its successor's. */
export async function listPodSandboxStats(
  services: Services,
  { filter }: ListPodSandboxStatsRequest,
): Promise<Init<ListPodSandboxStatsResponse>> {
  const ready = selectSandboxes(services.store, filter).filter(
    (sandbox) => currentState(services, sandbox) === PodSandboxState.SANDBOX_READY,
  );
  return { stats: await sandboxStats(services, ready) };
}
