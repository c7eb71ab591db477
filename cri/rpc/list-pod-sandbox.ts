import type { Init, ListPodSandboxRequest, ListPodSandboxResponse } from "../../api/messages";
import { currentState, sandboxSummary } from "../sandbox/status";
import type { Services } from "../services";
import { matchesLabels } from "../store/label-match";

export async function listPodSandbox(
  services: Services,
  { filter }: ListPodSandboxRequest,
): Promise<Init<ListPodSandboxResponse>> {
  const { sandboxes } = services.store;
  const one = filter?.id ? sandboxes.find(filter.id) : undefined;
  const candidates = filter?.id ? (one ? [one] : []) : sandboxes.list();
  return {
    items: candidates
      .filter((sandbox) => !filter?.state || currentState(services, sandbox) === filter.state.state)
      .filter((sandbox) => matchesLabels(sandbox.config.labels, filter?.labelSelector ?? {}))
      .map((sandbox) => sandboxSummary(services, sandbox)),
  };
}
