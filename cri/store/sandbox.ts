import type { SandboxId } from "../../api/ids";
import { codec, type LinuxContainerResources, type PodSandboxConfig, PodSandboxState } from "../../api/messages";
import type { ProcessIdentity } from "../../sys/process-identity";
import { checkProcess, checkText, checkTextMap, checkTexts, checkTime } from "./record-checks";

/** What is kept of a sandbox on disk. */
export interface SandboxRecord {
  version: number;
  id: SandboxId;
  /** The PodSandboxConfig of the request, encoded, in base64. */
  config: string;
  /** As requested; "" is the default handler. */
  handler: string;
  createdAtNs: string;
  /** creating: an operation that has not ended, to be undone after a crash. */
  phase: "creating" | "ready" | "stopped";
  /** Files that hold the namespaces; what is absent is the host's, or the container's own. */
  namespaces: { net?: string; ipc?: string; uts?: string; pid?: string; user?: string };
  /** Process 1 of a shared PID namespace. */
  holder?: ProcessIdentity;
  ips: string[];
  /** cgroups that were made for it, outermost first. */
  madeCgroups: string[];
  /** The LinuxContainerResources of the last update, encoded, in base64; absent while the configuration's count. */
  overhead?: string;
  resources?: string;
}

const phases = new Set(["creating", "ready", "stopped"]);

/** Throws where what was read back is no sandbox's record. */
export function checkSandboxRecord(record: Record<string, unknown>): SandboxRecord {
  checkText(record, "config");
  checkText(record, "handler");
  checkTime(record, "createdAtNs");
  if (!phases.has(checkText(record, "phase"))) throw new Error("phase is unknown");
  checkTextMap(record, "namespaces");
  checkProcess(record, "holder");
  checkTexts(record, "ips");
  checkTexts(record, "madeCgroups");
  for (const field of ["overhead", "resources"]) if (record[field] !== undefined) checkText(record, field);
  const checked = record as unknown as SandboxRecord;
  // what is no message throws here rather than later
  const sandbox = new Sandbox(checked);
  void [sandbox.overhead, sandbox.resources];
  return checked;
}

/** A sandbox in memory: the record, and what is read out of it once. */
export class Sandbox {
  readonly config: PodSandboxConfig;

  constructor(public record: SandboxRecord) {
    this.config = codec("PodSandboxConfig").decode(Buffer.from(record.config, "base64"));
  }

  get id(): SandboxId {
    return this.record.id;
  }

  get state(): PodSandboxState {
    return this.record.phase === "ready" ? PodSandboxState.SANDBOX_READY : PodSandboxState.SANDBOX_NOTREADY;
  }

  get isReady(): boolean {
    return this.record.phase === "ready";
  }

  /** What running the pod costs beside its containers, as it was last given. */
  get overhead(): LinuxContainerResources | null {
    return decodeLimits(this.record.overhead) ?? this.config.linux?.overhead ?? null;
  }

  /** The limits of all its containers together, likewise. */
  get resources(): LinuxContainerResources | null {
    return decodeLimits(this.record.resources) ?? this.config.linux?.resources ?? null;
  }

  /** What the kubelet knows it by; unique among all sandboxes. */
  get name(): string {
    return sandboxName(this.config);
  }
}

const decodeLimits = (encoded: string | undefined) =>
  encoded === undefined ? undefined : codec("LinuxContainerResources").decode(Buffer.from(encoded, "base64"));

export function sandboxName(config: PodSandboxConfig): string {
  const { name = "", namespace = "", uid = "", attempt = 0 } = config.metadata ?? {};
  return [name, namespace, uid, attempt].join("_");
}
