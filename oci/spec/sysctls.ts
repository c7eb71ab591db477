import { checkCount, invalid, quote } from "./check-text";

export interface SysctlScope {
  /** The pod has the host's network namespace, so none of its network sysctls are the pod's. */
  hostNetwork: boolean;
  hostIpc: boolean;
}

/** A checked sysctl: `file` is below /proc/sys. */
export interface Sysctl {
  key: string;
  file: string;
  value: string;
}

/** Those that belong to a namespace which a pod can own (Kubernetes, "namespaced sysctls"). */
const ipcFiles = /^(kernel\/(shm[a-z_]*|msg[a-z_]*|sem)|fs\/mqueue\/[a-z_]+)$/;
const netFiles = /^net\/.+/;

/**
 * Sysctls of a pod, ready to be written in its namespaces. Keys have dots or slashes; whichever comes first separates
 * (sysctl.d(5)). Throws InvalidArgument for keys that no namespace of the pod's owns, and for values that could be
 * read as more than one (CVE-2022-0811).
 */
export function checkSysctls(sysctls: Record<string, string>, scope: SysctlScope): Sysctl[] {
  const entries = Object.entries(sysctls);
  checkCount("sysctls", entries, 1024);
  return entries.map(([key, value]) => ({ key, file: fileOf(key, scope), value: checkValue(key, value) }));
}

function fileOf(key: string, { hostNetwork, hostIpc }: SysctlScope): string {
  const name = quote(key);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_./@*:-]*$/.test(key)) throw invalid(`the sysctl ${name} is not a key`);
  const dotted = /^[^./]*\./.test(key);
  const file = dotted ? key.replace(/[./]/g, (mark) => (mark === "." ? "/" : ".")) : key;
  if (file.split("/").some((part) => part === "" || part === "." || part === "..")) {
    throw invalid(`the sysctl ${name} is not a key`);
  }
  const isNet = netFiles.test(file);
  if (!isNet && !ipcFiles.test(file)) throw invalid(`the sysctl ${name} belongs to no namespace of a pod`);
  if (isNet && hostNetwork) throw invalid(`the sysctl ${name} would change the host's network namespace`);
  if (!isNet && hostIpc) throw invalid(`the sysctl ${name} would change the host's IPC namespace`);
  return file;
}

function checkValue(key: string, value: string): string {
  if (/[\n\r\0+]/.test(value)) throw invalid(`the value of the sysctl ${quote(key)} has a newline, a NUL or a "+"`);
  if (value.length > 4096) throw invalid(`the value of the sysctl ${quote(key)} is longer than 4096 characters`);
  return value;
}
