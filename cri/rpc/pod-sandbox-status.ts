import type { Init, PodSandboxStatusRequest, PodSandboxStatusResponse } from "../../api/messages";
import { sandboxStatus } from "../sandbox/status";
import type { Services } from "../services";

export async function podSandboxStatus(
  services: Services,
  { podSandboxId, verbose }: PodSandboxStatusRequest,
): Promise<Init<PodSandboxStatusResponse>> {
  const sandbox = services.store.sandboxes.get(podSandboxId);
  const { config: _encoded, ...record } = sandbox.record;
  return {
    status: sandboxStatus(services, sandbox),
    info: verbose ? { info: JSON.stringify({ ...record, pid: record.holder?.pid ?? 0 }) } : {},
  };
}
