import { BerthError } from "../../api/errors";
import type { ExecRequest, ExecResponse, Init } from "../../api/messages";
import type { Services } from "../services";
import { checkFlags } from "../streaming/check-flags";

/** Prepares a command in a running container; it runs when a client comes to the URL. */
export async function exec(services: Services, request: ExecRequest): Promise<Init<ExecResponse>> {
  const { id, isRunning } = services.store.containers.get(request.containerId);
  const flags = checkFlags(request);
  if (request.cmd.length === 0) throw new BerthError("InvalidArgument", "no command to run");
  if (!isRunning) throw new BerthError("FailedPrecondition", `container ${id} is not running`);
  return { url: services.streaming.urlFor({ kind: "exec", containerId: id, command: request.cmd, ...flags }) };
}
