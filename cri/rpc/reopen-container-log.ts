import fs from "node:fs";
import { BerthError } from "../../api/errors";
import type { Init, ReopenContainerLogRequest, ReopenContainerLogResponse } from "../../api/messages";
import { reopenLog } from "../../oci/runtime/conmon";
import type { Services } from "../services";

/** The longest that a monitor may take to open its log. */
const patienceMs = 5000;

/** Returns once the new file is there. An error that creates nothing where the container does not run. */
export async function reopenContainerLog(
  { store, paths }: Services,
  { containerId }: ReopenContainerLogRequest,
): Promise<Init<ReopenContainerLogResponse>> {
  const container = store.containers.get(containerId);
  if (!container.isRunning) {
    throw new BerthError("FailedPrecondition", `container ${container.id} is not running, so its log is not open`);
  }
  const { logPath } = container.record;
  if (logPath === "") return {};
  await reopenLog(paths.container(container.id));
  const until = performance.now() + patienceMs;
  for (let waitMs = 1; !fs.existsSync(logPath); waitMs = Math.min(50, waitMs * 2)) {
    if (performance.now() > until) {
      throw new BerthError("DeadlineExceeded", `the monitor of container ${container.id} did not reopen ${logPath}`);
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  return {};
}
