import fs from "node:fs";
import path from "node:path";
import { BerthError } from "../../api/errors";
import type { DNSConfig } from "../../api/messages";

export interface PodFiles {
  hostname: string;
  hosts: string;
  resolvConf: string;
  shm: string;
  /** The root filesystem of the process that holds a shared PID namespace. */
  holderRoot: string;
}

/** Where a sandbox's files lie; all its containers share them. */
export const podFiles = (directory: string): PodFiles => ({
  hostname: path.join(directory, "hostname"),
  hosts: path.join(directory, "hosts"),
  resolvConf: path.join(directory, "resolv.conf"),
  shm: path.join(directory, "shm"),
  holderRoot: path.join(directory, "holder", "rootfs"),
});

export interface PodFilesContent {
  hostname: string;
  dns: DNSConfig | null;
  /** Who is root in the pod, as the host knows it. */
  owner: { uid: number; gid: number };
}

/** Writes hostname, hosts and resolv.conf (resolv.conf(5); the host's own where the pod's DNS configuration is empty). */
export function writePodFiles(files: PodFiles, { hostname, dns, owner }: PodFilesContent): void {
  const write = (file: string, text: string) => {
    fs.writeFileSync(file, text, { mode: 0o644 });
    if (owner.uid !== 0 || owner.gid !== 0) fs.chownSync(file, owner.uid, owner.gid);
  };
  write(files.hostname, `${hostname}\n`);
  write(files.hosts, readHostFile("/etc/hosts"));
  write(files.resolvConf, (dns && resolvConf(dns)) || readHostFile("/etc/resolv.conf"));
}

function resolvConf(dns: DNSConfig): string {
  for (const word of [...dns.servers, ...dns.searches, ...dns.options]) {
    if (/[\s\0]/.test(word)) {
      throw new BerthError("InvalidArgument", `dns_config: ${JSON.stringify(word.slice(0, 100))} holds white space`);
    }
  }
  const lines = [];
  if (dns.searches.length > 0) lines.push(`search ${dns.searches.join(" ")}`);
  for (const server of dns.servers) lines.push(`nameserver ${server}`);
  if (dns.options.length > 0) lines.push(`options ${dns.options.join(" ")}`);
  return lines.map((line) => `${line}\n`).join("");
}

function readHostFile(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
