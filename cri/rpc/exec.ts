import { BerthError } from "../../api/errors";
import type { ExecRequest, ExecResponse, Init } from "../../api/messages";
import { checkCommand } from "../container/exec-process";
import type { Services } from "../services";
import { checkFlags } from "../streaming/check-flags";

/** Prepares a command in a running container; it runs when a client comes to the URL. */
export async function exec(services: Services, request: ExecRequest): Promise<Init<ExecResponse>> {
  const { id, isRunning } = services.store.containers.get(request.containerId);
  const flags = checkFlags(request);
  checkCommand(request.cmd);
  if (!isRunning) throw new BerthError("FailedPrecondition", `container ${id} is not running`);
  return { url: services.streaming.urlFor({ kind: "exec", containerId: id, command: request.cmd, ...flags }) };
}
