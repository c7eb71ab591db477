import type { Init, StartContainerRequest, StartContainerResponse } from "../../api/messages";
import { faultPoint } from "../../sys/fault-points";
import { startContainer as start } from "../container/start";
import type { Services } from "../services";

export async function startContainer(
  services: Services,
  { containerId }: StartContainerRequest,
): Promise<Init<StartContainerResponse>> {
  await start(services, services.store.containers.get(containerId));
  await faultPoint("StartContainer.answer");
  return {};
}
