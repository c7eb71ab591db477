import type { Init, StopPodSandboxRequest, StopPodSandboxResponse } from "../../api/messages";
import { faultPoint } from "../../sys/fault-points";
import { stopSandbox } from "../sandbox/stop";
import type { Services } from "../services";

export async function stopPodSandbox(
  services: Services,
  { podSandboxId }: StopPodSandboxRequest,
): Promise<Init<StopPodSandboxResponse>> {
  const sandbox = services.store.sandboxes.find(podSandboxId);
  if (sandbox) await stopSandbox(services, sandbox);
  await faultPoint("StopPodSandbox.answer");
  return {};
}
