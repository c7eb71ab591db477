import type { ChildProcess } from "node:child_process";

export interface Registry {
  /** Such as http://127.0.0.1:41234 */
  url: string;
  /** Such as 127.0.0.1:41234 */
  address: string;
  log: string;
  pid: number;
  stop(): Promise<void>;
}
/** A TCP port of the loopback address that nobody listens on now. */
export function freePort(): Promise<number>;
/** Ends a child by its pid, softly and then by force. */
export function stopChild(child: ChildProcess, graceMs?: number): Promise<void>;
/** Starts a registry that keeps all it has in a directory, and waits until it answers. */
export function startRegistry(directory: string): Promise<Registry>;
