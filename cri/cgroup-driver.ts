import fs from "node:fs";
import type { CgroupVersion } from "../sys/cgroups";

/** "auto" is systemd where it is process 1 on cgroup v2, as kubeadm sets up the kubelet there. */
export function cgroupDriverFor(
  setting: "auto" | "cgroupfs" | "systemd",
  version: CgroupVersion,
): "cgroupfs" | "systemd" {
  if (setting !== "auto") return setting;
  return version === "v2" && fs.existsSync("/run/systemd/system") ? "systemd" : "cgroupfs";
}
