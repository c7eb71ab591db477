import type { ContainerStatsFilter, PodSandboxStatsFilter } from "../../api/messages";
import type { Container } from "../store/container";
import { matchesLabels } from "../store/label-match";
import type { Sandbox } from "../store/sandbox";
import type { Store } from "../store/store";

/** All containers without a filter; none where the filter names what is not there. */
export function selectContainers(store: Store, filter: ContainerStatsFilter | null): Container[] {
  return store
    .containersNamed(filter?.id, filter?.podSandboxId)
    .filter((container) => matchesLabels(container.config.labels, filter?.labelSelector ?? {}));
}

/** All sandboxes without a filter; none where the filter names what is not there. */
export function selectSandboxes({ sandboxes }: Store, filter: PodSandboxStatsFilter | null): Sandbox[] {
  if (!filter) return sandboxes.list();
  const one = filter.id ? sandboxes.find(filter.id) : undefined;
  const candidates = filter.id ? (one ? [one] : []) : sandboxes.list();
  return candidates.filter((sandbox) => matchesLabels(sandbox.config.labels, filter.labelSelector));
}
