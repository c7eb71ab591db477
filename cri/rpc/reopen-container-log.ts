import fs from "node:fs/promises";
import path from "node:path";
import { BerthError } from "../../api/errors";
import type { Init, ReopenContainerLogRequest, ReopenContainerLogResponse } from "../../api/messages";
import { reopenLog } from "../../oci/runtime/conmon";
import { countTaskStates } from "../../sys/task-states";
import { onLogDisk } from "../container/log-disk";
import { checkLogFile } from "../container/log-path";
import type { Services } from "../services";
import type { Container } from "../store/container";

/** The longest that a monitor may take to open its log, and to be free to be asked. */
const patienceMs = 5000;

/**
 * Returns once the monitor writes to a file at the log's path: at once where it does, since the old one was not moved
 * away. An error that creates nothing where the container does not run.
 */
export async function reopenContainerLog(
  { store, paths }: Services,
  { containerId }: ReopenContainerLogRequest,
): Promise<Init<ReopenContainerLogResponse>> {
  const container = store.containers.get(containerId);
  checkRuns(container);
  const { logPath } = container.record;
  if (logPath === "") return {};
  await checkLogFile(store.sandboxes.get(container.record.sandboxId).config.logDirectory, logPath);
  // a monitor that is told puts a new file in the place of whatever is there
  if (await hasOpen(container, logPath)) return {};
  const until = performance.now() + patienceMs;
  const wait = async (isDone: () => Promise<boolean> | boolean) => {
    for (let waitMs = 1; !(await isDone()); waitMs = Math.min(50, waitMs * 2)) {
      // its monitor goes with it
      checkRuns(container);
      if (performance.now() > until) {
        throw new BerthError("DeadlineExceeded", `the monitor of container ${container.id} did not reopen ${logPath}`);
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  };
  // one that its disk keeps would do it long after this call has failed, and the client has put the old file back
  await wait(() => !waitsForDisk(container));
  await reopenLog(paths.container(container.id));
  await wait(() => hasOpen(container, logPath));
  return {};
}

function checkRuns(container: Container): void {
  if (container.isRunning) return;
  throw new BerthError("FailedPrecondition", `container ${container.id} is not running, so its log is not open`);
}

const waitsForDisk = ({ record: { monitor } }: Container) =>
  monitor !== undefined && countTaskStates([monitor.pid]).uninterruptible > 0;

/** Whether the container's monitor has the file at `logPath` open. */
async function hasOpen({ record: { monitor } }: Container, logPath: string): Promise<boolean> {
  if (!monitor) return false;
  const directory = `/proc/${monitor.pid}/fd`;
  const real = await onLogDisk(logPath, () => fs.realpath(logPath)).catch(() => undefined);
  const descriptors = await fs.readdir(directory).catch(() => []);
  const links = descriptors.map((fd) => fs.readlink(path.join(directory, fd)).catch(() => undefined));
  return real !== undefined && (await Promise.all(links)).includes(real);
}
