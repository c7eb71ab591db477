import fs from "node:fs";
import path from "node:path";
import { messageOf } from "../../api/errors";
import { faultPoint } from "../../sys/fault-points";
import { errnoOf } from "../../sys/libc";
import { isAlive } from "../../sys/process-identity";
import type { Services } from "../services";
import type { Container, ContainerExit } from "../store/container";

/** A start takes some milliseconds, and more on a node where much starts at once. */
const startPatienceMs = 10_000;

/** A container whose end nobody saw, as the kubelet knows it from containerd. */
export const unknownExit = (message: string, finishedAtNs: string): ContainerExit => ({
  code: 255,
  reason: "Unknown",
  message,
  finishedAtNs,
});

/** Whether neither a container's process lives nor the monitor that would tell how it ended. */
export const isLost = ({ record: { process, monitor } }: Container): boolean =>
  !(process && isAlive(process)) && !(monitor && isAlive(monitor));

/**
 * What the monitor has left of a container's end; undefined where it has left nothing yet, or nothing that makes sense.
 * Throws where it can't be read for now, for lack of descriptors.
 */
export function readExit(services: Services, container: Container): ContainerExit | undefined {
  const file = path.join(services.paths.exits, container.id);
  try {
    const text = fs.readFileSync(file, "utf8").trim();
    // what a process ends with has no more digits, and -1 is the monitor's word for not knowing
    if (!/^(-1|\d{1,3})$/.test(text)) return undefined;
    const code = Number(text);
    const finishedAtNs = String(fs.statSync(file, { bigint: true }).mtimeNs);
    return { code, reason: reasonOf(services, container, code), message: "", finishedAtNs };
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "EISDIR") return undefined;
    throw error;
  }
}

/** Only a container that died of SIGKILL was killed for its memory; a child that was is its own affair. */
function reasonOf(services: Services, container: Container, code: number): string {
  if (code === 0) return "Completed";
  return code === 137 && wasOutOfMemory(services, container) ? "OOMKilled" : "Error";
}

/**
 * systemd removes a cgroup with its last process, at times before the monitor has seen its counter and left a file. A kill
 * in the pod since the container was started is then taken for its own, unless we are ending it.
 */
function wasOutOfMemory({ cgroups, paths }: Services, { id, record, isStopping }: Container): boolean {
  const kills = cgroups.oomKills(record.cgroups);
  if (kills || fs.existsSync(path.join(paths.container(id), "oom"))) return true;
  if (kills !== undefined || isStopping || record.oomKillsBefore === undefined) return false;
  return (cgroups.oomKillsAround(record.cgroups) ?? 0) > record.oomKillsBefore;
}

const later = (a: string, b: string) => (BigInt(a) < BigInt(b) ? b : a);

/** Keeps how a container ended, once, and clears what it leaves. Its files stay until it is removed. */
export async function recordExit(services: Services, container: Container, exit: ContainerExit): Promise<void> {
  const { store } = services;
  await faultPoint("StopContainer.exit");
  if (!container.record.exit) {
    const { startedAtNs, createdAtNs } = container.record;
    // the host's clock may have been set back meanwhile
    const finishedAtNs = later(exit.finishedAtNs, startedAtNs ?? createdAtNs);
    store.noteContainer(container, { exit: { ...exit, finishedAtNs } });
    services.events.containerStopped(container);
    container.wakeWaiters();
  }
  await clearAfterExit(services, container);
}

/** Clears away what an ended container leaves. What can't be cleared is told, and tried again at its removal. */
export async function clearAfterExit(services: Services, container: Container): Promise<void> {
  container.cleanUp ??= clearProcesses(services, container).catch((error) => {
    container.cleanUp = undefined;
    services.log.warn("an ended container could not be cleared away yet", {
      container: container.id,
      error: messageOf(error),
    });
  });
  await container.cleanUp;
}

/**
 * A short one can end before the runtime has seen its start through. One that was killed just before its start may leave
 * the runtime waiting at exec.fifo for somebody to read, who will not come any more.
 */
async function seeStartThrough({ starting }: Container): Promise<void> {
  if (!starting) return;
  const timer = setTimeout(starting.giveUp, startPatienceMs);
  await starting.ended;
  clearTimeout(timer);
}

/** Ends processes that outlived a container's first one; then its cgroup and the runtime's record go. */
export async function clearProcesses({ cgroups, runtimes }: Services, container: Container): Promise<void> {
  const { record, id } = container;
  await faultPoint("StopContainer.processes");
  await cgroups.kill(record.cgroups);
  await seeStartThrough(container);
  await faultPoint("StopContainer.runtime");
  await runtimes.get(record.handler).deleteEnded(id);
  await faultPoint("StopContainer.cgroup");
  cgroups.removeOwn(record.cgroups, id);
}
