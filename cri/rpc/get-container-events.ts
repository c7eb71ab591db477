import type { ContainerEventResponse, Init } from "../../api/messages";
import type { CallContext } from "../server/interceptor";
import type { Services } from "../services";

/** Changes of state from now on, until the client leaves. */
export function getContainerEvents(
  { events }: Services,
  { signal }: CallContext,
): AsyncIterable<Init<ContainerEventResponse>> {
  return events.subscribe(signal);
}
