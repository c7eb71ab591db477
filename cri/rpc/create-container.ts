import type { CreateContainerRequest, CreateContainerResponse, Init } from "../../api/messages";
import { faultPoint } from "../../sys/fault-points";
import { createContainer as create } from "../container/create";
import type { Services } from "../services";

export async function createContainer(
  services: Services,
  request: CreateContainerRequest,
): Promise<Init<CreateContainerResponse>> {
  const containerId = await create(services, request);
  await faultPoint("CreateContainer.answer");
  return { containerId };
}
