import type { ContainerStatus, Init, PodSandboxStatus } from "../../api/messages";
import { containerStatus } from "../container/status";
import { sandboxStatus } from "../sandbox/status";
import type { Services } from "../services";
import type { Container } from "../store/container";
import type { Sandbox } from "../store/sandbox";

/** A whole pod at this moment: what spares the kubelet a question for each container. */
export interface PodState {
  podSandboxStatus: Init<PodSandboxStatus>;
  /**
   * Newest first. The kubelet takes the first of a name for its latest attempt and, with EventedPLEG, does not sort what
   * PodSandboxStatus gives it: in another order it would create the last attempt again.
   */
  containersStatuses: Init<ContainerStatus>[];
}

const newestFirst = (one: Container, other: Container) =>
  Number(BigInt(other.record.createdAtNs) - BigInt(one.record.createdAtNs));

export const podState = (services: Services, sandbox: Sandbox): PodState => ({
  podSandboxStatus: sandboxStatus(services, sandbox),
  containersStatuses: services.store.containersOf(sandbox.id).sort(newestFirst).map(containerStatus),
});
