import type { Init, RemoveContainerRequest, RemoveContainerResponse } from "../../api/messages";
import { faultPoint } from "../../sys/fault-points";
import { removeContainer as remove } from "../container/remove";
import type { Services } from "../services";

export async function removeContainer(
  services: Services,
  { containerId }: RemoveContainerRequest,
): Promise<Init<RemoveContainerResponse>> {
  const container = services.store.containers.find(containerId);
  if (container) await remove(services, container);
  await faultPoint("RemoveContainer.answer");
  return {};
}
