import type { ContainerId, ImageId, SandboxId } from "../../api/ids";
import { codec, type ContainerConfig, ContainerState, type LinuxContainerResources } from "../../api/messages";
import type { CgroupPaths } from "../../sys/cgroups";
import type { ProcessIdentity } from "../../sys/process-identity";
import { checkId, checkNumber, checkObject, checkProcess, checkText, checkTextMap, checkTime } from "./record-checks";

/** What is kept of a container on disk. */
export interface ContainerRecord {
  version: number;
  id: ContainerId;
  sandboxId: SandboxId;
  /** The ContainerConfig of the request, encoded, in base64. */
  config: string;
  /** The LinuxContainerResources in force, encoded, in base64. */
  resources: string;
  /** The runtime handler that it was made with. */
  handler: string;
  image: { id: ImageId; name: string; digest: string };
  /** What was mounted of images, by the index of the mount in the request; absent in what an earlier release has made. */
  imageVolumes?: Record<number, string>;
  user: { uid: number; gid: number; additionalGids: number[] };
  /** The kernel's number of the signal that asks it to stop. */
  stopSignal: number;
  /** Absolute; "" for no log. */
  logPath: string;
  process: ProcessIdentity | undefined;
  monitor: ProcessIdentity | undefined;
  cgroups: CgroupPaths;
  createdAtNs: string;
  /** When its start began; without startedAtNs the start was cut off, and may yet have come to its end. */
  startingAtNs?: string;
  startedAtNs?: string;
  /** How often the kernel had killed for lack of memory in the cgroup around its own when its start began; version 2 alone. */
  oomKillsBefore?: number;
  exit?: ContainerExit;
}

export interface ContainerExit {
  finishedAtNs: string;
  code: number;
  /** Completed, Error, OOMKilled, StartError or Unknown. */
  reason: string;
  message: string;
}

/** Throws where what was read back is no container's record. */
export function checkContainerRecord(record: Record<string, unknown>): ContainerRecord {
  checkId(record, "sandboxId");
  for (const field of ["config", "resources", "handler", "logPath"]) checkText(record, field);
  for (const field of ["id", "name", "digest"]) checkText(checkObject(record["image"], "image"), field);
  if (record["imageVolumes"] !== undefined) checkTextMap(record, "imageVolumes");
  const user = checkObject(record["user"], "user");
  for (const field of ["uid", "gid"]) checkNumber(user, field);
  if (!Array.isArray(user["additionalGids"]) || !user["additionalGids"].every(Number.isSafeInteger)) {
    throw new Error("user.additionalGids is no list of numbers");
  }
  checkNumber(record, "stopSignal");
  for (const field of ["process", "monitor"]) checkProcess(record, field);
  checkTextMap(record, "cgroups");
  checkTime(record, "createdAtNs");
  for (const name of ["startingAtNs", "startedAtNs"]) if (record[name] !== undefined) checkTime(record, name);
  if (record["oomKillsBefore"] !== undefined) checkNumber(record, "oomKillsBefore");
  if (record["exit"] !== undefined) {
    const exit = checkObject(record["exit"], "exit");
    checkTime(exit, "finishedAtNs");
    checkNumber(exit, "code");
    for (const field of ["reason", "message"]) checkText(exit, field);
  }
  const checked = record as unknown as ContainerRecord;
  // what is no message throws here rather than later
  void new Container(checked).resources;
  return checked;
}

/**
 * A container in memory. Its state is never set, it follows from what has happened:
 *
 *     CREATED --start--> RUNNING --exit--> EXITED
 *        \---------start fails, or exit-----/
 */
export class Container {
  readonly config: ContainerConfig;
  private waiters: (() => void)[] = [];
  /**
   * Set when the runtime was asked to start it. `ended` resolves when it has done with that, well or not; what it still
   * needs for that must not be cleared. giveUp() ends it.
   */
  starting: { ended: Promise<void>; giveUp(): void } | undefined;
  /** Whether we have begun to end it. */
  isStopping = false;
  /** Ends when the container's process has ended and the runtime has forgotten it. */
  cleanUp: Promise<void> | undefined;

  constructor(public record: ContainerRecord) {
    this.config = codec("ContainerConfig").decode(Buffer.from(record.config, "base64"));
  }

  get id(): ContainerId {
    return this.record.id;
  }

  get state(): ContainerState {
    if (this.record.exit) return ContainerState.CONTAINER_EXITED;
    return this.record.startedAtNs ? ContainerState.CONTAINER_RUNNING : ContainerState.CONTAINER_CREATED;
  }

  get isRunning(): boolean {
    return this.state === ContainerState.CONTAINER_RUNNING;
  }

  get resources(): LinuxContainerResources {
    return codec("LinuxContainerResources").decode(Buffer.from(this.record.resources, "base64"));
  }

  /** Resolves once it has exited, or after `timeoutMs`; true where it has exited. */
  async waitForExit(timeoutMs: number): Promise<boolean> {
    if (this.record.exit) return true;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(timeoutMs, 2 ** 31 - 1));
      this.waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    return this.record.exit !== undefined;
  }

  /** To be called once `record.exit` is set. */
  wakeWaiters(): void {
    for (const wake of this.waiters.splice(0)) wake();
  }
}

export const containerName = (config: ContainerConfig, sandboxId: SandboxId) =>
  [config.metadata?.name ?? "", sandboxId, config.metadata?.attempt ?? 0].join("_");
