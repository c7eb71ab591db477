import { BerthError } from "../../api/errors";
import type { Init, PortForwardRequest, PortForwardResponse } from "../../api/messages";
import type { Services } from "../services";

/** Prepares the way to ports of a pod. The list may be empty: clients name the port with each connection. */
export async function portForward(services: Services, request: PortForwardRequest): Promise<Init<PortForwardResponse>> {
  const { id, isReady } = services.store.sandboxes.get(request.podSandboxId);
  const wrong = request.port.find((port) => port < 1 || port > 65535);
  if (wrong !== undefined) throw new BerthError("InvalidArgument", `${wrong} is no port`);
  if (!isReady) throw new BerthError("FailedPrecondition", `sandbox ${id} is not running`);
  return { url: services.streaming.urlFor({ kind: "portforward", sandboxId: id, ports: request.port }) };
}
