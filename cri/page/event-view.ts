import { type ContainerEventResponse, ContainerEventType, type Init } from "../../api/messages";
import type { EventView } from "./model";

const names: Record<number, string> = {
  [ContainerEventType.CONTAINER_CREATED_EVENT]: "created",
  [ContainerEventType.CONTAINER_STARTED_EVENT]: "started",
  [ContainerEventType.CONTAINER_STOPPED_EVENT]: "stopped",
  [ContainerEventType.CONTAINER_DELETED_EVENT]: "deleted",
};

export function eventView(event: Init<ContainerEventResponse>): EventView {
  const { containerId = "", containerEventType = 0, createdAt = 0n, podSandboxStatus, containersStatuses } = event;
  const { metadata } = podSandboxStatus ?? {};
  const isPod = containerId === podSandboxStatus?.id;
  const container = containersStatuses?.find(({ id }) => id === containerId);
  // the state is that of now: of a short one even its start may come with its end
  const isEnd = containerEventType === ContainerEventType.CONTAINER_STOPPED_EVENT;
  const ended = isEnd && container?.reason ? `${container.reason} ${container.exitCode ?? 0}` : "";
  return {
    atMs: Number(createdAt / 1_000_000n),
    what: names[containerEventType] ?? "",
    isPod,
    id: containerId,
    pod: `${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`,
    container: container?.metadata?.name ?? "",
    reason: ended,
  };
}
