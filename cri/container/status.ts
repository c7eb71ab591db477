import type { Container as ContainerMessage, ContainerStatus, Init } from "../../api/messages";
import type { Container } from "../store/container";
import { signalForStatus } from "./signals";

export function containerStatus(container: Container): Init<ContainerStatus> {
  const { record, config } = container;
  const { user, image, exit } = record;
  return {
    id: record.id,
    metadata: config.metadata,
    state: container.state,
    createdAt: BigInt(record.createdAtNs),
    startedAt: BigInt(record.startedAtNs ?? 0),
    finishedAt: BigInt(exit?.finishedAtNs ?? 0),
    exitCode: exit?.code ?? 0,
    reason: exit?.reason ?? "",
    message: exit?.message ?? "",
    image: { ...config.image, image: image.name },
    imageRef: image.digest,
    imageId: image.id,
    labels: config.labels,
    annotations: config.annotations,
    mounts: config.mounts,
    logPath: record.logPath,
    resources: { linux: container.resources },
    user: {
      linux: {
        uid: BigInt(user.uid),
        gid: BigInt(user.gid),
        supplementalGroups: user.additionalGids.map(BigInt),
      },
    },
    stopSignal: signalForStatus(record.stopSignal),
  };
}

export function containerSummary(container: Container): Init<ContainerMessage> {
  const { record, config } = container;
  return {
    id: record.id,
    podSandboxId: record.sandboxId,
    metadata: config.metadata,
    image: { ...config.image, image: record.image.name },
    imageRef: record.image.id,
    imageId: record.image.id,
    state: container.state,
    createdAt: BigInt(record.createdAtNs),
    labels: config.labels,
    annotations: config.annotations,
  };
}
