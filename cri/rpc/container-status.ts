import type { ContainerStatusRequest, ContainerStatusResponse, Init } from "../../api/messages";
import { containerStatus as statusOf } from "../container/status";
import type { Services } from "../services";
import { verboseContainerInfo } from "../container/verbose-info";

export async function containerStatus(
  services: Services,
  { containerId, verbose }: ContainerStatusRequest,
): Promise<Init<ContainerStatusResponse>> {
  const container = services.store.containers.get(containerId);
  return { status: statusOf(container), info: verbose ? { info: verboseContainerInfo(services, container) } : {} };
}
