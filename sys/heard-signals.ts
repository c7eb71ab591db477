import fs from "node:fs";

/**
 * Whether a signal that a process gets now has an effect on it or waits for it: it has a handler, or is blocked
 * (proc_pid_status(5), SigCgt and SigBlk). To process 1 of a PID namespace the kernel drops all others but SIGKILL and
 * SIGSTOP (pid_namespaces(7)). False where the process is gone.
 */
export function hearsSignal(pid: number, signal: number): boolean {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, "latin1");
    const mask = (name: string) => BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)`, "m").exec(status)?.[1] ?? 0}`);
    return ((mask("SigCgt") | mask("SigBlk")) & (1n << BigInt(signal - 1))) !== 0n;
  } catch {
    return false;
  }
}
