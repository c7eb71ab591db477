import { BerthError } from "../../api/errors";
import { ContainerState, type Init, type StopContainerRequest, type StopContainerResponse } from "../../api/messages";
import { faultPoint } from "../../sys/fault-points";
import { stopContainer as stop } from "../container/stop";
import type { CallContext } from "../server/interceptor";
import type { Services } from "../services";

/**
 * Of no effect on a container that is unknown, was never started, or has ended. A client that leaves is let go; the
 * stop that it has asked for goes on, so that the container has the time that it was told and no more.
 */
export async function stopContainer(
  services: Services,
  { containerId, timeout }: StopContainerRequest,
  { signal }: CallContext,
): Promise<Init<StopContainerResponse>> {
  const container = services.store.containers.find(containerId);
  // a start under way comes first, or this would be a stop of what runs a moment later
  if (container?.state === ContainerState.CONTAINER_CREATED) await services.locks.run(container.id, () => {});
  if (!container?.isRunning) return {};
  const stopped = stop(services, container, Math.max(0, Number(timeout)) * 1000);
  const left = new Promise<never>((_, reject) => {
    const leave = () => reject(new BerthError("Cancelled", `the client did not wait for the end of ${container.id}`));
    signal.addEventListener("abort", leave, { once: true });
  });
  await Promise.race([stopped, left]);
  await faultPoint("StopContainer.answer");
  return {};
}
