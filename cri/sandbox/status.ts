import { type Init, NamespaceMode, type PodSandbox, type PodSandboxStatus, PodSandboxState } from "../../api/messages";
import { LivingProcesses } from "../../sys/living-processes";
import type { Services } from "../services";
import type { Sandbox } from "../store/sandbox";
import { sandboxModes } from "./namespace-modes";

const holders = new LivingProcesses();

/** READY while its namespaces stand; one whose network or holder is gone has died. */
export function currentState({ namespaces }: Services, sandbox: Sandbox): PodSandboxState {
  const { record } = sandbox;
  if (!sandbox.isReady) return PodSandboxState.SANDBOX_NOTREADY;
  if (record.namespaces.net && !namespaces.isPinned(record.namespaces.net)) return PodSandboxState.SANDBOX_NOTREADY;
  if (record.holder && !holders.isAlive(record.holder)) return PodSandboxState.SANDBOX_NOTREADY;
  return PodSandboxState.SANDBOX_READY;
}

export function sandboxStatus(services: Services, sandbox: Sandbox): Init<PodSandboxStatus> {
  const { record, config } = sandbox;
  const modes = sandboxModes(config);
  const [ip = "", ...additional] = record.ips;
  return {
    id: record.id,
    metadata: config.metadata,
    state: currentState(services, sandbox),
    createdAt: BigInt(record.createdAtNs),
    network: { ip, additionalIps: additional.map((each) => ({ ip: each })) },
    linux: {
      namespaces: {
        options: {
          network: modes.hostNetwork ? NamespaceMode.NODE : NamespaceMode.POD,
          pid: modes.hostPid ? NamespaceMode.NODE : modes.sharedPid ? NamespaceMode.POD : NamespaceMode.CONTAINER,
          ipc: modes.hostIpc ? NamespaceMode.NODE : NamespaceMode.POD,
          targetId: config.linux?.securityContext?.namespaceOptions?.targetId,
          usernsOptions: config.linux?.securityContext?.namespaceOptions?.usernsOptions,
        },
      },
    },
    labels: config.labels,
    annotations: config.annotations,
    runtimeHandler: record.handler,
  };
}

/** What a list tells of a sandbox, but for its state; none of it ever changes. */
export function sandboxSummary({ record, config }: Sandbox): Init<PodSandbox> {
  return {
    id: record.id,
    metadata: config.metadata,
    createdAt: BigInt(record.createdAtNs),
    labels: config.labels,
    annotations: config.annotations,
    runtimeHandler: record.handler,
  };
}
