import type { Container as ContainerMessage, ContainerStatus, Init, Mount } from "../../api/messages";
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
    mounts: config.mounts.map((mount, index) => withImageRef(mount, record.imageVolumes?.[index])),
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

/** A mount as it was asked for, with the image that is there (KEP-5365): its tag may mean another one by now. */
const withImageRef = (mount: Mount, imageRef: string | undefined): Init<Mount> =>
  imageRef === undefined ? mount : { ...mount, image: { ...mount.image, imageRef } };

/** What a list tells of a container, but for its state; none of it ever changes. */
export function containerSummary({ record, config }: Container): Init<ContainerMessage> {
  return {
    id: record.id,
    podSandboxId: record.sandboxId,
    metadata: config.metadata,
    image: { ...config.image, image: record.image.name },
    imageRef: record.image.id,
    imageId: record.image.id,
    createdAt: BigInt(record.createdAtNs),
    labels: config.labels,
    annotations: config.annotations,
  };
}
