import {
  codec,
  Encoded,
  type ListPodSandboxRequest,
  type ListPodSandboxResponse,
  type PodSandboxState,
} from "../../api/messages";
import { currentState, sandboxSummary } from "../sandbox/status";
import type { Services } from "../services";
import { matchesLabels } from "../store/label-match";
import type { Sandbox } from "../store/sandbox";
import { Summaries } from "./summaries";

const summaries = new Summaries<Sandbox, PodSandboxState>((sandbox, state) =>
  codec("PodSandbox").encode({ ...sandboxSummary(sandbox), state }),
);

export async function listPodSandbox(
  services: Services,
  request: ListPodSandboxRequest,
): Promise<Encoded<ListPodSandboxResponse>> {
  return new Encoded(summaries.encodeList(selectSandboxes(services, request)));
}

/** Those that a filter lets through, with their state of now. */
export function selectSandboxes(
  services: Services,
  { filter }: Pick<ListPodSandboxRequest, "filter">,
): { object: Sandbox; state: PodSandboxState }[] {
  const { sandboxes } = services.store;
  const one = filter?.id ? sandboxes.find(filter.id) : undefined;
  const candidates = filter?.id ? (one ? [one] : []) : sandboxes.list();
  return candidates
    .filter((sandbox) => matchesLabels(sandbox.config.labels, filter?.labelSelector ?? {}))
    .map((object) => ({ object, state: currentState(services, object) }))
    .filter(({ state }) => !filter?.state || state === filter.state.state);
}
