import type { Init, StopContainerRequest, StopContainerResponse } from "../../api/messages";
import { stopContainer as stop } from "../container/stop";
import type { Services } from "../services";

/** Of no effect on a container that is unknown, was never started, or has ended. */
export async function stopContainer(
  services: Services,
  { containerId, timeout }: StopContainerRequest,
): Promise<Init<StopContainerResponse>> {
  const container = services.store.containers.find(containerId);
  if (container?.isRunning) await stop(services, container, Math.max(0, Number(timeout)) * 1000);
  return {};
}
