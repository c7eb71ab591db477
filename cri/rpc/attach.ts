import { BerthError } from "../../api/errors";
import type { AttachRequest, AttachResponse, Init } from "../../api/messages";
import type { Services } from "../services";
import { checkFlags } from "../streaming/check-flags";

/** Prepares the way to the streams of a running container's first process. */
export async function attach(services: Services, request: AttachRequest): Promise<Init<AttachResponse>> {
  const container = services.store.containers.get(request.containerId);
  const flags = checkFlags(request);
  if (!container.isRunning) throw new BerthError("FailedPrecondition", `container ${container.id} is not running`);
  return { url: services.streaming.urlFor({ kind: "attach", containerId: container.id, ...flags }) };
}
