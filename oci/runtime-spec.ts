/**
 * The parts of the OCI runtime specification's config.json that Berth writes (config.md, config-linux.md). A bigint
 * stands where a value may be beyond 2^53; `encodeSpec` writes both kinds as plain JSON numbers.
 */
export type SpecNumber = number | bigint;

export interface RuntimeSpec {
  ociVersion: string;
  root: { path: string; readonly: boolean };
  process: SpecProcess;
  mounts: SpecMount[];
  annotations: Record<string, string>;
  hooks?: SpecHooks;
  linux: SpecLinux;
}

/** POSIX-platform Hooks (config.md). */
export type SpecHooks = Partial<
  Record<"prestart" | "createRuntime" | "createContainer" | "startContainer" | "poststart" | "poststop", SpecHook[]>
>;

export interface SpecHook {
  path: string;
  args: string[];
  /** KEY=value */
  env: string[];
  /** Seconds. */
  timeout?: number;
}

export interface SpecProcess {
  terminal: boolean;
  user: SpecUser;
  args: string[];
  /** KEY=value */
  env: string[];
  cwd: string;
  capabilities: SpecCapabilities;
  rlimits: SpecRlimit[];
  noNewPrivileges: boolean;
  oomScoreAdj: number;
  apparmorProfile?: string;
  selinuxLabel?: string;
}

export interface SpecUser {
  uid: number;
  gid: number;
  additionalGids: number[];
}

export interface SpecCapabilities {
  bounding: string[];
  effective: string[];
  permitted: string[];
  inheritable: string[];
  ambient: string[];
}

export interface SpecRlimit {
  /** Such as RLIMIT_NOFILE. */
  type: string;
  hard: SpecNumber;
  soft: SpecNumber;
}

export interface SpecMount {
  destination: string;
  type: string;
  source: string;
  options: string[];
  uidMappings?: SpecIdMapping[];
  gidMappings?: SpecIdMapping[];
}

export interface SpecIdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

export interface SpecLinux {
  namespaces: SpecNamespace[];
  uidMappings?: SpecIdMapping[];
  gidMappings?: SpecIdMapping[];
  cgroupsPath: string;
  resources: SpecResources;
  devices: SpecDevice[];
  maskedPaths: string[];
  readonlyPaths: string[];
  rootfsPropagation?: "rshared" | "rslave";
  seccomp?: SpecSeccomp;
  mountLabel?: string;
  intelRdt?: SpecIntelRdt;
  /** By the name of the host's interface. */
  netDevices?: Record<string, SpecNetDevice>;
}

/** config-linux.md, IntelRdt. */
export interface SpecIntelRdt {
  closID?: string;
  l3CacheSchema?: string;
  memBwSchema?: string;
  schemata?: string[];
  enableMonitoring?: boolean;
  enableCMT?: boolean;
  enableMBM?: boolean;
}

export interface SpecNetDevice {
  /** In the container. */
  name: string;
}

export interface SpecNamespace {
  type: "pid" | "network" | "ipc" | "uts" | "mount" | "user" | "cgroup";
  /** An existing namespace to join; a new one is made without it. */
  path?: string;
}

export interface SpecDevice {
  path: string;
  type: "b" | "c" | "p";
  major: number;
  minor: number;
  fileMode: number;
  uid: number;
  gid: number;
}

export interface SpecResources {
  devices?: SpecDeviceRule[];
  cpu?: SpecCpu;
  memory?: SpecMemory;
  pids?: { limit: number };
  hugepageLimits?: { pageSize: string; limit: SpecNumber }[];
  unified?: Record<string, string>;
}

export interface SpecDeviceRule {
  allow: boolean;
  type?: "a" | "b" | "c";
  major?: number;
  minor?: number;
  access: string;
}

export interface SpecCpu {
  shares?: number;
  /** Microseconds of CPU time in a period; negative for no limit. */
  quota?: number;
  /** Microseconds. */
  period?: number;
  cpus?: string;
  mems?: string;
}

export interface SpecMemory {
  /** Bytes; -1 for no limit. */
  limit?: SpecNumber;
  /** Bytes of memory and swap together; -1 for no limit. */
  swap?: SpecNumber;
}

export interface SpecSeccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls?: SpecSyscallRule[];
}

export interface SpecSyscallRule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: SpecSyscallArgument[];
}

export interface SpecSyscallArgument {
  index: number;
  value: SpecNumber;
  valueTwo?: SpecNumber;
  op: string;
}

/** The text of a config.json, or of any part of one such as a process.json. */
export function encodeSpec(part: unknown): string {
  return JSON.stringify(part, (_key, value) => (typeof value === "bigint" ? rawJson(value) : value));
}

// TypeScript's library does not know JSON.rawJSON yet; a 64-bit number cannot be written without it
const rawJson = (value: bigint): unknown =>
  (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(value.toString());

/** An int64 as the spec's number: a plain one wherever that is exact. */
export function specNumber(value: bigint): SpecNumber {
  const plain = Number(value);
  return Number.isSafeInteger(plain) ? plain : value;
}
