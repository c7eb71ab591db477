import {
  codec,
  type ContainerState,
  Encoded,
  type ListContainersRequest,
  type ListContainersResponse,
} from "../../api/messages";
import { containerSummary } from "../container/status";
import type { Services } from "../services";
import type { Container } from "../store/container";
import { matchesLabels } from "../store/label-match";
import { Summaries } from "./summaries";

const summaries = new Summaries<Container, ContainerState>((container, state) =>
  codec("Container").encode({ ...containerSummary(container), state }),
);

export async function listContainers(
  services: Services,
  request: ListContainersRequest,
): Promise<Encoded<ListContainersResponse>> {
  const listed = selectContainers(services, request).map((object) => ({ object, state: object.state }));
  return new Encoded(summaries.encodeList(listed));
}

/** Those that a filter lets through. */
export function selectContainers({ store }: Services, { filter }: Pick<ListContainersRequest, "filter">): Container[] {
  return store
    .containersNamed(filter?.id, filter?.podSandboxId)
    .filter((container) => !filter?.state || container.state === filter.state.state)
    .filter((container) => matchesLabels(container.config.labels, filter?.labelSelector ?? {}));
}
