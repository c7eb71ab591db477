import { ContainerState, type Init, type StopContainerRequest, type StopContainerResponse } from "../../api/messages";
import { stopContainer as stop } from "../container/stop";
import type { Services } from "../services";

/** Of no effect on a container that is unknown, was never started, or has ended. */
export async function stopContainer(
  services: Services,
  { containerId, timeout }: StopContainerRequest,
): Promise<Init<StopContainerResponse>> {
  const container = services.store.containers.find(containerId);
  // a start under way comes first, or this would be a stop of what runs a moment later
  if (container?.state === ContainerState.CONTAINER_CREATED) await services.locks.run(container.id, () => {});
  if (container?.isRunning) await stop(services, container, Math.max(0, Number(timeout)) * 1000);
  return {};
}
