import type { Init, RunPodSandboxRequest, RunPodSandboxResponse } from "../../api/messages";
import { createSandbox } from "../sandbox/create";
import type { Services } from "../services";

export async function runPodSandbox(
  services: Services,
  request: RunPodSandboxRequest,
): Promise<Init<RunPodSandboxResponse>> {
  return { podSandboxId: await createSandbox(services, request) };
}
