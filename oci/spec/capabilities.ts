import fs from "node:fs";
import type { Capability } from "../../api/messages";
import type { SpecCapabilities } from "../runtime-spec";
import { checkCount, invalid, quote } from "./check-text";

/** By their numbers (linux/capability.h). */
const names = [
  ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"],
  ...["LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"],
  ...["SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"],
  ...["SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"],
  ...["MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"],
  "CHECKPOINT_RESTORE",
].map((name) => `CAP_${name}`);
const known = new Set(names);

/** What a container has where nothing is asked for: the field's custom since Docker. */
export const defaultCapabilities = [
  ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID"],
  ...["CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL"],
  "CAP_AUDIT_WRITE",
];

/** The effective capabilities of this process by name (CapEff, proc_pid_status(5)). */
export function daemonCapabilities(statusFile = "/proc/self/status"): string[] {
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(fs.readFileSync(statusFile, "utf8"))?.[1] ?? "0"}`);
  return names.filter((_, number) => (mask >> BigInt(number)) & 1n);
}

export interface CapabilitiesInput {
  requested: Capability | null;
  privileged: boolean;
  /** What a container has before adding and dropping. */
  defaults: string[];
  /** What the daemon has: "ALL" means these, and nobody gets more. */
  available: string[];
}

export interface CapabilitySets {
  sets: SpecCapabilities;
  warnings: string[];
}

/**
 * The capability sets of the first process: "ALL" of either list first (dropping wins), then each one added, then each
 * one dropped. Inheritable is empty (CVE-2022-27652) but for those of add_ambient_capabilities (KEP-2763): the kernel
 * keeps an ambient one only while it is permitted and inheritable (capabilities(7)), so asking for it adds it to every
 * set, unless it is dropped by name. What the daemon lacks is left out with a warning.
 * Throws InvalidArgument for unknown names.
 */
export function capabilitySets({ requested, privileged, defaults, available }: CapabilitiesInput): CapabilitySets {
  const add = parseAll("added", requested?.addCapabilities ?? []);
  const drop = parseAll("dropped", requested?.dropCapabilities ?? []);
  const ambient = parseAll("ambient", requested?.addAmbientCapabilities ?? []);
  const owned = new Set(available);
  const wanted = new Set(privileged || add.all ? available : defaults);
  if (!privileged) {
    if (drop.all) wanted.clear();
    for (const name of [...add.names, ...ambient.names]) wanted.add(name);
    if (ambient.all) for (const name of available) wanted.add(name);
    for (const name of drop.names) wanted.delete(name);
  }
  const permitted = names.filter((name) => wanted.has(name) && owned.has(name));
  const raised = permitted.filter((name) => ambient.all || ambient.names.includes(name));
  const missing = names.filter((name) => wanted.has(name) && !owned.has(name));
  return {
    sets: {
      bounding: permitted,
      effective: [...permitted],
      permitted: [...permitted],
      inheritable: raised,
      ambient: [...raised],
    },
    warnings:
      missing.length === 0
        ? []
        : [`left out ${missing.join(", ")}: the daemon itself does not have what it would give`],
  };
}

function parseAll(what: string, list: string[]): { all: boolean; names: string[] } {
  checkCount(`${what} capabilities`, list, 1024);
  const upper = list.map((name) => name.toUpperCase());
  const isAll = (name: string) => name === "ALL" || name === "CAP_ALL";
  return { all: upper.some(isAll), names: upper.filter((name) => !isAll(name)).map(parseName) };
}

function parseName(name: string): string {
  const full = name.startsWith("CAP_") ? name : `CAP_${name}`;
  if (!known.has(full)) throw invalid(`the capability ${quote(name)} is unknown`);
  return full;
}
