import type { Init, RemovePodSandboxRequest, RemovePodSandboxResponse } from "../../api/messages";
import { removeSandbox } from "../sandbox/remove";
import type { Services } from "../services";

export async function removePodSandbox(
  services: Services,
  { podSandboxId }: RemovePodSandboxRequest,
): Promise<Init<RemovePodSandboxResponse>> {
  const sandbox = services.store.sandboxes.find(podSandboxId);
  if (sandbox) await removeSandbox(services, sandbox);
  return {};
}
