import { messageOf } from "../../api/errors";
import type { SandboxId } from "../../api/ids";
import { type ContainerEventResponse, ContainerEventType, type Init } from "../../api/messages";
import { nowNs } from "../clock";
import type { Container } from "../store/container";
import type { Sandbox } from "../store/sandbox";
import { type EventCounts, EventHub } from "./event-hub";

type PodEvent = Init<ContainerEventResponse>;

export interface PodEventsModules {
  sandboxOf(id: SandboxId): Sandbox | undefined;
  /** What goes with each event of a pod. */
  stateOf(sandbox: Sandbox): Pick<PodEvent, "podSandboxStatus" | "containersStatuses">;
  report(message: string): void;
}

/**
 * Tells of every change of a sandbox or container, once the store has it. The state of the whole pod goes with each, as
 * the kubelet's evented PLEG wants it; a sandbox's events carry its own ID as the container's.
 */
export class PodEvents {
  private readonly hub = new EventHub<PodEvent>();
  /** Containers that are being started, and whether their end was seen before their start was. */
  private readonly starting = new Map<string, { hasStopped: boolean }>();

  constructor(private readonly modules: PodEventsModules) {}

  subscribe(signal: AbortSignal): AsyncGenerator<PodEvent> {
    return this.hub.subscribe(signal);
  }

  counts(): EventCounts {
    return this.hub.counts();
  }

  close(): void {
    this.hub.close();
  }

  sandboxRuns(sandbox: Sandbox): void {
    this.publish(sandbox, sandbox.id, ContainerEventType.CONTAINER_CREATED_EVENT);
    this.publish(sandbox, sandbox.id, ContainerEventType.CONTAINER_STARTED_EVENT);
  }

  sandboxStopped(sandbox: Sandbox): void {
    this.publish(sandbox, sandbox.id, ContainerEventType.CONTAINER_STOPPED_EVENT);
  }

  sandboxDeleted(sandbox: Sandbox): void {
    this.publish(sandbox, sandbox.id, ContainerEventType.CONTAINER_DELETED_EVENT);
  }

  containerCreated(container: Container): void {
    this.ofContainer(container, ContainerEventType.CONTAINER_CREATED_EVENT);
  }

  /** A container that ends at once may be seen to end before its start has returned: its stop is told after that. */
  containerStarting(container: Container): void {
    this.starting.set(container.id, { hasStopped: false });
  }

  containerStarted(container: Container): void {
    const early = this.starting.get(container.id)?.hasStopped;
    this.starting.delete(container.id);
    this.ofContainer(container, ContainerEventType.CONTAINER_STARTED_EVENT);
    if (early) this.containerStopped(container);
  }

  containerStartFailed(container: Container): void {
    const early = this.starting.get(container.id)?.hasStopped;
    this.starting.delete(container.id);
    if (early) this.containerStopped(container);
  }

  containerStopped(container: Container): void {
    const starting = this.starting.get(container.id);
    if (starting) starting.hasStopped = true;
    else this.ofContainer(container, ContainerEventType.CONTAINER_STOPPED_EVENT);
  }

  containerDeleted(container: Container): void {
    this.ofContainer(container, ContainerEventType.CONTAINER_DELETED_EVENT);
  }

  private ofContainer(container: Container, type: ContainerEventType): void {
    const sandbox = this.modules.sandboxOf(container.record.sandboxId);
    if (sandbox) this.publish(sandbox, container.id, type);
  }

  private publish(sandbox: Sandbox, containerId: string, containerEventType: ContainerEventType): void {
    if (!this.hub.hasSubscribers) return;
    try {
      const state = this.modules.stateOf(sandbox);
      this.hub.publish({ containerId, containerEventType, createdAt: nowNs(), ...state });
    } catch (error) {
      // what is told has happened; failing here would undo it
      this.modules.report(`an event of ${containerId} could not be told: ${messageOf(error)}`);
    }
  }
}
