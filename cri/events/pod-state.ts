import type { ContainerStatus, Init, PodSandboxStatus } from "../../api/messages";
import { containerStatus } from "../container/status";
import { sandboxStatus } from "../sandbox/status";
import type { Services } from "../services";
import type { Sandbox } from "../store/sandbox";

/** A whole pod at this moment: what spares the kubelet a question for each container. */
export interface PodState {
  podSandboxStatus: Init<PodSandboxStatus>;
  containersStatuses: Init<ContainerStatus>[];
}

export const podState = (services: Services, sandbox: Sandbox): PodState => ({
  podSandboxStatus: sandboxStatus(services, sandbox),
  containersStatuses: services.store.containersOf(sandbox.id).map(containerStatus),
});
