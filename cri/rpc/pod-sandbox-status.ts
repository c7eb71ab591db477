import type { Init, PodSandboxStatusRequest, PodSandboxStatusResponse } from "../../api/messages";
import { nowNs } from "../clock";
import { podState } from "../events/pod-state";
import { verboseSandboxInfo } from "../sandbox/verbose-info";
import type { Services } from "../services";

/**
 * The containers go with it, so that the kubelet's evented PLEG need not ask for each; the timestamp says when both were
 * read, and so it is there only with them.
 */
export async function podSandboxStatus(
  services: Services,
  { podSandboxId, verbose }: PodSandboxStatusRequest,
): Promise<Init<PodSandboxStatusResponse>> {
  const sandbox = services.store.sandboxes.get(podSandboxId);
  const { podSandboxStatus: status, containersStatuses } = podState(services, sandbox);
  return {
    status,
    containersStatuses,
    timestamp: nowNs(),
    info: verbose ? { info: verboseSandboxInfo(sandbox) } : {},
  };
}
