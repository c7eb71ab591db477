import type { CreateContainerRequest, CreateContainerResponse, Init } from "../../api/messages";
import { createContainer as create } from "../container/create";
import type { Services } from "../services";

export async function createContainer(
  services: Services,
  request: CreateContainerRequest,
): Promise<Init<CreateContainerResponse>> {
  return { containerId: await create(services, request) };
}
