import type { ExecSyncRequest, ExecSyncResponse, Init } from "../../api/messages";
import { checkCommand, execProcess } from "../container/exec-process";
import type { CallContext } from "../server/interceptor";
import type { Services } from "../services";

/** Both streams and the frame around them must fit in the 16 MiB that the kubelet takes. */
const outputLimitBytes = 15 << 20;

/** Runs a command in a running container to its end; its exit code is an answer, whatever it is. A client that leaves ends it. */
export async function execSync(
  services: Services,
  request: ExecSyncRequest,
  { signal }: CallContext,
): Promise<Init<ExecSyncResponse>> {
  const container = services.store.containers.get(request.containerId);
  checkCommand(request.cmd);
  const result = await services.runtimes.get(container.record.handler).exec({
    id: container.id,
    process: execProcess(services, container, { args: request.cmd, terminal: false }),
    timeoutMs: Math.max(0, Number(request.timeout)) * 1000,
    limitBytes: outputLimitBytes,
    signal,
    scratchDirectory: services.paths.container(container.id),
  });
  return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode };
}
