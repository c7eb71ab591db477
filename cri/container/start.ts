import { BerthError, during, messageOf } from "../../api/errors";
import { ContainerState, PodSandboxState } from "../../api/messages";
import { faultPoint } from "../../sys/fault-points";
import { executableOf, waitForExec } from "../../sys/wait-for-exec";
import { nowNs } from "../clock";
import { currentState } from "../sandbox/status";
import type { Services } from "../services";
import type { Container } from "../store/container";
import { recordExit } from "./exit";

/** The runtime's last steps before the container's program take a millisecond or two. */
const execPatienceMs = 200;

/** As containerd reports a container that could not be started. */
const startErrorCode = 128;

/** Runs what was created. A failure leaves the container EXITED with the reason in its status. */
export async function startContainer(services: Services, container: Container): Promise<void> {
  const { store, runtimes, locks, cgroups } = services;
  await locks.run(container.id, async () => {
    if (container.state !== ContainerState.CONTAINER_CREATED) {
      const state = container.isRunning ? "running already" : "exited";
      throw new BerthError("FailedPrecondition", `container ${container.id} is ${state}, it can be started only once`);
    }
    services.events.containerStarting(container);
    try {
      const sandbox = store.sandboxes.find(container.record.sandboxId);
      if (!sandbox || currentState(services, sandbox) !== PodSandboxState.SANDBOX_READY) {
        throw new BerthError("FailedPrecondition", "its sandbox is not ready");
      }
      const oomKillsBefore = cgroups.oomKillsAround(container.record.cgroups);
      // a restart of the daemon meanwhile has to know that it was asked to run
      store.updateContainer(container, { startingAtNs: String(nowNs()), oomKillsBefore });
      await faultPoint("StartContainer.runtime");
      const pid = container.record.process?.pid ?? 0;
      const runtimeItself = executableOf(pid);
      const startedAtNs = String(nowNs());
      const end = new AbortController();
      const starting = runtimes.get(container.record.handler).start(container.id, end.signal);
      container.starting = {
        ended: starting.catch(() => {}),
        giveUp: () => end.abort(new BerthError("Internal", "its process had ended before it was started")),
      };
      await faultPoint("StartContainer.runtime-started");
      await starting;
      // runc returns while its own code still runs there, which as process 1 would lose a signal sent right away
      await waitForExec(pid, runtimeItself, execPatienceMs);
      await faultPoint("StartContainer.record");
      // a short one may have ended by now, and its end must not be overwritten
      store.updateContainer(container, { startedAtNs });
      services.events.containerStarted(container);
    } catch (error) {
      services.events.containerStartFailed(container);
      await recordExit(services, container, {
        code: startErrorCode,
        reason: "StartError",
        message: messageOf(error),
        finishedAtNs: String(nowNs()),
      });
      throw during(`container ${container.id} failed to start`, error);
    }
  });
}
