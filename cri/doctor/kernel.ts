import fs from "node:fs";
import os from "node:os";
import { type Finding, findings } from "./finding";
import { compareVersions } from "./vulnerabilities";

const read = (file: string): string | undefined => {
  try {
    return fs.readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
};

const persist = (setting: string) => `sysctl -w ${setting}, and the same line in /etc/sysctl.d/ for the next boot`;

/** What the kernel is and has. */
export function checkKernel(): Finding[] {
  const { list, ok, info, warning, error } = findings("kernel");
  const release = os.release();
  if (compareVersions(release, "5.10") < 0) error(`Linux ${release}`, "boot Linux 5.10 or later");
  else if (compareVersions(release, "6.5") < 0)
    info(`Linux ${release}: images of very many layers take a detour before 6.5`);
  else ok(`Linux ${release}`);
  if (!/\boverlay$/m.test(read("/proc/filesystems") ?? ""))
    error("the kernel has no overlayfs", "modprobe overlay, and a line `overlay` in /etc/modules-load.d/berth.conf");
  if (read("/proc/sys/net/ipv4/ip_forward") !== "1")
    warning("IPv4 forwarding is off: pods can't reach beyond this node", persist("net.ipv4.ip_forward=1"));
  if (read("/proc/sys/net/bridge/bridge-nf-call-iptables") === "0")
    warning("bridged packets pass by iptables: Services don't work", persist("net.bridge.bridge-nf-call-iptables=1"));
  const namespaces = read("/proc/sys/user/max_user_namespaces");
  if (namespaces === undefined || namespaces === "0")
    info("user namespaces are off: pods with hostUsers: false can't run", persist("user.max_user_namespaces=15000"));
  const instances = Number(read("/proc/sys/fs/inotify/max_user_instances") ?? "0");
  if (instances < 256)
    info(
      `containers of one user can hold ${instances} inotify instances together; full nodes have been short of them`,
      persist("fs.inotify.max_user_instances=8192"),
    );
  return list;
}
