import type { Init, ListContainersRequest, ListContainersResponse } from "../../api/messages";
import { containerSummary } from "../container/status";
import type { Services } from "../services";
import { matchesLabels } from "../store/label-match";

export async function listContainers(
  { store }: Services,
  { filter }: ListContainersRequest,
): Promise<Init<ListContainersResponse>> {
  const one = filter?.id ? store.containers.find(filter.id) : undefined;
  const sandboxId = filter?.podSandboxId ? store.sandboxes.find(filter.podSandboxId)?.id : undefined;
  const candidates = filter?.id ? (one ? [one] : []) : store.containers.list();
  return {
    containers: candidates
      .filter((container) => !filter?.podSandboxId || container.record.sandboxId === sandboxId)
      .filter((container) => !filter?.state || container.state === filter.state.state)
      .filter((container) => matchesLabels(container.config.labels, filter?.labelSelector ?? {}))
      .map(containerSummary),
  };
}
