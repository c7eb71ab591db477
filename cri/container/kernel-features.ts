import fs from "node:fs";

let known: { apparmor: boolean; seccomp: boolean; selinux: boolean } | undefined;

/** What this kernel can enforce; it does not change while it runs. */
export function kernelFeatures() {
  known ??= {
    apparmor: read("/sys/module/apparmor/parameters/enabled").startsWith("Y"),
    seccomp: fs.existsSync("/proc/sys/kernel/seccomp/actions_avail"),
    selinux: fs.existsSync("/sys/fs/selinux/enforce"),
  };
  return known;
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
