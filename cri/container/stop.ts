import os from "node:os";
import { BerthError } from "../../api/errors";
import { ContainerState } from "../../api/messages";
import { faultPoint } from "../../sys/fault-points";
import { hearsSignal } from "../../sys/heard-signals";
import { isAlive, type ProcessIdentity, signalProcess } from "../../sys/process-identity";
import { nowNs } from "../clock";
import type { Services } from "../services";
import type { Container } from "../store/container";
import { isLost, readExit, recordExit, unknownExit } from "./exit";

/** When a process that did not hear the signal is looked at again for the first time. */
const firstLookMs = 10;

/** The longest that a killed container may take to be seen dead before the call fails. */
const killPatienceMs = 10_000;

/** Stops under way, by container: a later call with less patience shortens the first. */
const underWay = new WeakMap<Container, { killAtMs: number; shorten: () => void; done: Promise<void> }>();

/**
 * Asks a container to end, and ends it when `timeoutMs` is over (at once for 0). Does nothing for one that is not
 * running; one that was never started is cleared away as well, since its process waits in the sandbox.
 */
export async function stopContainer(services: Services, container: Container, timeoutMs: number): Promise<void> {
  if (container.state === ContainerState.CONTAINER_EXITED) {
    await container.cleanUp;
    return;
  }
  const killAtMs = performance.now() + timeoutMs;
  const running = underWay.get(container);
  if (running) {
    if (killAtMs < running.killAtMs) {
      running.killAtMs = killAtMs;
      running.shorten();
    }
    return running.done;
  }
  const stop = { killAtMs, shorten: () => {}, done: Promise.resolve() };
  underWay.set(container, stop);
  stop.done = carryOut(services, container, stop).finally(() => underWay.delete(container));
  return stop.done;
}

async function carryOut(
  services: Services,
  container: Container,
  stop: { killAtMs: number; shorten: () => void },
): Promise<void> {
  const { record } = container;
  if (!record.process) return;
  container.isStopping = true;
  if (stop.killAtMs > performance.now() && container.isRunning) {
    await faultPoint("StopContainer.signal");
    let heard = sendStopSignal(record.process, record.stopSignal);
    let lookMs = heard ? 1000 : firstLookMs;
    while (!container.record.exit && stop.killAtMs > performance.now() && isAlive(record.process)) {
      const shortened = new Promise<void>((resolve) => {
        stop.shorten = resolve;
      });
      // the look at the process is for a monitor that died and will tell nothing
      await Promise.race([container.waitForExit(Math.min(stop.killAtMs - performance.now(), lookMs)), shortened]);
      lookMs = Math.min(lookMs * 2, 1000);
      // the kernel keeps from process 1 what it has no handler for, and right after its start it has none yet
      if (!heard && hearsSignal(record.process.pid, record.stopSignal)) {
        heard = sendStopSignal(record.process, record.stopSignal);
      }
    }
  }
  await endProcess(services, container);
}

/** Returns whether the process has an ear for it. */
function sendStopSignal(identity: ProcessIdentity, signal: number): boolean {
  const heard = hearsSignal(identity.pid, signal);
  signalProcess(identity, signal);
  return heard;
}

/** SIGKILL, and the wait for the monitor's word; where that does not come, what is known is kept. */
async function endProcess(services: Services, container: Container): Promise<void> {
  const process = container.record.process!;
  const until = performance.now() + killPatienceMs;
  await faultPoint("StopContainer.kill");
  while (!container.record.exit) {
    signalProcess(process, os.constants.signals.SIGKILL);
    if (await container.waitForExit(50)) break;
    const exit = readExit(services, container);
    if (exit) await recordExit(services, container, exit);
    else if (isLost(container)) {
      await recordExit(services, container, unknownExit("the container's monitor is gone", String(nowNs())));
    } else if (performance.now() > until) {
      const why = isAlive(process)
        ? `process ${process.pid} outlives SIGKILL`
        : "its processes are dead, but its monitor does not tell how they ended; it may wait for the disk of the log";
      throw new BerthError("DeadlineExceeded", `container ${container.id} does not end: ${why}`);
    }
  }
  await container.cleanUp;
}
