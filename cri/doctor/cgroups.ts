import fs from "node:fs";
import path from "node:path";
import { detectCgroups } from "../../sys/cgroups";
import { cgroupDriverFor } from "../cgroup-driver";
import { type Finding, findings, type Node } from "./finding";

const kubeletConfig = "/var/lib/kubelet/config.yaml";
const wanted = ["cpu", "memory", "pids", "cpuset"];

/** The hierarchy, its controllers, and whether the kubelet has the same driver. */
export function checkCgroups({ config }: Node): Finding[] {
  const { list, ok, warning, error } = findings("cgroups");
  const layout = detectCgroups();
  const driver = cgroupDriverFor(config.runtime.cgroup_driver, layout.version);
  ok(`cgroup ${layout.version}, driver ${driver}`);
  const unified = layout.unified ? controllersIn(layout.unified) : [];
  const present = layout.version === "v2" ? unified : [...layout.controllers.keys()];
  const missing = wanted.filter((each) => !present.includes(each));
  if (missing.length > 0)
    error(
      `controllers are missing: ${missing.join(", ")}`,
      "see `cgroup_disable` on the kernel's command line, /proc/cmdline",
    );
  if (layout.version === "hybrid" && unified.length > 0) {
    warning(
      `a hybrid hierarchy with ${unified.join(", ")} on version 2: crun refuses to run there`,
      "boot with version 2 (systemd.unified_cgroup_hierarchy=1), or mount these on version 1, or use runc",
    );
  }
  if (driver === "systemd" && !fs.existsSync("/run/systemd/system"))
    error("the cgroup driver is systemd, which does not run here", "set runtime.cgroup_driver to cgroupfs");
  const ofKubelet = kubeletDriver();
  if (ofKubelet && ofKubelet !== driver)
    error(
      `the kubelet's cgroup driver is ${ofKubelet}, Berth's is ${driver}`,
      `set cgroupDriver in ${kubeletConfig} or runtime.cgroup_driver in Berth's configuration`,
    );
  return list;
}

function controllersIn(unified: string): string[] {
  try {
    return fs.readFileSync(path.join(unified, "cgroup.controllers"), "utf8").trim().split(" ").filter(Boolean);
  } catch {
    return [];
  }
}

function kubeletDriver(): string | undefined {
  try {
    return /^cgroupDriver:\s*"?(\w+)"?/m.exec(fs.readFileSync(kubeletConfig, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}
