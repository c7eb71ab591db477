export interface Service {
  /** Names its log, and its pid's file. */
  name: string;
  command: string[];
  /** Directories of cgroups that it is in from its start. */
  cgroups?: string[];
  environment?: Record<string, string>;
}
export function keepRunning(service: Service): void;
export function pidOf(name: string): number | undefined;
export function restartService(name: string, signal?: NodeJS.Signals): Promise<void>;
/** Ends a daemon that stays down until it is released. */
export function holdService(name: string, signal?: NodeJS.Signals): Promise<void>;
export function releaseService(name: string): void;
export function readServiceLog(name: string): string;
export function waitFor(
  what: string,
  options: { of: string; timeoutMs?: number },
  check: () => boolean | Promise<boolean>,
): Promise<void>;
