import type { Init, RemovePodSandboxRequest, RemovePodSandboxResponse } from "../../api/messages";
import { faultPoint } from "../../sys/fault-points";
import { removeSandbox } from "../sandbox/remove";
import type { Services } from "../services";

export async function removePodSandbox(
  services: Services,
  { podSandboxId }: RemovePodSandboxRequest,
): Promise<Init<RemovePodSandboxResponse>> {
  const sandbox = services.store.sandboxes.find(podSandboxId);
  if (sandbox) await removeSandbox(services, sandbox);
  await faultPoint("RemovePodSandbox.answer");
  return {};
}
