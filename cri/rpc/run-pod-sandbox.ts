import type { Init, RunPodSandboxRequest, RunPodSandboxResponse } from "../../api/messages";
import { faultPoint } from "../../sys/fault-points";
import { createSandbox } from "../sandbox/create";
import type { Services } from "../services";

export async function runPodSandbox(
  services: Services,
  request: RunPodSandboxRequest,
): Promise<Init<RunPodSandboxResponse>> {
  const podSandboxId = await createSandbox(services, request);
  await faultPoint("RunPodSandbox.answer");
  return { podSandboxId };
}
