import fs from "node:fs";
import type { Namespaces } from "./namespaces";

/** Counters since the interface was made. */
export interface InterfaceStats {
  name: string;
  rxBytes: bigint;
  rxPackets: bigint;
  rxErrors: bigint;
  rxDropped: bigint;
  txBytes: bigint;
  txPackets: bigint;
  txErrors: bigint;
  txDropped: bigint;
}

/**
 * The interfaces of the network namespace that `file` holds, loopback left out. Throws Error where nothing holds it any
 * more.
 */
export function readNetworkStats(namespaces: Namespaces, file: string): InterfaceStats[] {
  if (!namespaces.isPinned(file)) throw new Error(`${file} holds no network namespace`);
  // /proc/self would be the first thread of the process, whichever asks
  const text = namespaces.inside(file, "net", () => fs.readFileSync("/proc/thread-self/net/dev", "utf8"));
  return parseNetDev(text).filter(({ name }) => name !== "lo");
}

/** The table of /proc/net/dev (proc_pid_net(5)). */
export function parseNetDev(text: string): InterfaceStats[] {
  return text.split("\n").flatMap((line) => {
    const found = /^\s*(\S+):\s*((?:\d+\s*){16})$/.exec(line);
    if (!found) return [];
    const counts = found[2]!.trim().split(/\s+/).map(BigInt);
    const at = (index: number) => counts[index] ?? 0n;
    return [
      {
        name: found[1]!,
        rxBytes: at(0),
        rxPackets: at(1),
        rxErrors: at(2),
        rxDropped: at(3),
        txBytes: at(8),
        txPackets: at(9),
        txErrors: at(10),
        txDropped: at(11),
      },
    ];
  });
}
