export interface Mount {
  point: string;
  root: string;
  type: string;
}
export interface Process {
  pid: number;
  parent: number;
  command: string;
  args: string;
}
/** By what the kernel hurries its grace periods; Berth has it on while a pod is made or stopped. */
export const EXPEDITED: string;
/** Runs a command that may fail or be missing; its output, or nothing. */
export function output(command: string, args: string[], input?: string): string;
/** Mounts in their order. See proc_pid_mountinfo(5). */
export function mounts(): Mount[];
export function processes(): Process[];
/** The directories of cgroups, the hierarchies' own left out. */
export function cgroups(): string[];
/** The namespaces of one kind that processes are in, as "net:[4026531840]" to the first pid. */
export function namespaces(kind: string): Map<string, number>;
/** Names of network links of this network namespace. */
export function links(): string[];
/** Chains and rules as "TABLE -N CHAIN" and "TABLE -A ...". */
export function iptablesRules(command: "iptables" | "ip6tables"): string[];
/**
 * Ends what a reboot would end of a daemon with its root and state in a directory: processes, cgroups, mounts and with
 * them pinned namespaces, the bridge, iptables rules, what it set in the kernel. Files stay. The daemon must be stopped.
 */
export function powerOff(what: { directory: string; bridge: string; network: string }): Promise<void>;
/**
 * Takes away all that a daemon with its root and state in a directory may have left: processes, cgroups, mounts and
 * with them pinned namespaces, the bridge, iptables rules, and at last the directory. The daemon must be stopped.
 */
export function takeAway(what: { directory: string; bridge: string; network: string }): Promise<void>;
