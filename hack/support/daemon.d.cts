import type { ChildProcess } from "node:child_process";

export interface Daemon {
  directory: string;
  bridge: string;
  /** The CNI network's name. */
  network: string;
  /** The first three numbers of its subnet. */
  subnet: string;
  root: string;
  state: string;
  socket: string;
  /** The socket as crictl wants it. */
  endpoint: string;
  configFile: string;
  /** Where its CNI configuration lies. */
  confDir: string;
  /** Where its HOST/hosts.toml lie. */
  certsDir: string;
  /** Where host-local keeps the addresses that are taken. */
  ipamDir: string;
  /** Where it keeps the attachments to networks. */
  cniCacheDir: string;
  /** Its standard output and error. */
  log: string;
  child: ChildProcess | undefined;
  /** What is started instead of the project's own bin/berth, and in which environment. */
  program?: string;
  env?: NodeJS.ProcessEnv;
  /** What asks for faults (sys/fault-points.ts), where they are built in. */
  faultsFile?: string;
}
export interface DaemonSource {
  /** A registry, as a URL, that stands for every other. */
  registry?: string | undefined;
  /** More of the configuration, by its sections. */
  options?: Record<string, unknown>;
  /** Of the subnet; 24 where absent, for 253 pods. */
  prefixLength?: number;
  /** Run the build in which steps can be made to fail. */
  faults?: boolean;
}
/** TOML of strings, numbers, booleans, lists of them, and tables. */
export function tomlDocument(values: Record<string, unknown>): string;
/** Writes a configuration of its own into a directory. Nothing runs yet. */
export function layOut(directory: string, source?: DaemonSource): Daemon;
/** Starts `berth serve`, and waits until its socket answers. */
export function start(daemon: Daemon, timeoutMs?: number): Promise<void>;
/** Ends it by its pid; pods go on. */
export function stop(daemon: Daemon, graceMs?: number): Promise<void>;
/** Stops it and takes away all that it made, its directory too. */
export function remove(daemon: Daemon): Promise<void>;
/** The environment for Berth's own commands. */
export function environment(): NodeJS.ProcessEnv;
