import { codec, type ContainerConfig, type Init, type PodSandboxConfig } from "../../api/messages";
import { daemonCapabilities, defaultCapabilities } from "./capabilities";
import type { SpecInput } from "./input";

/** A container's configuration as it comes off the wire: every field there, with its default where `init` has none. */
export function containerConfig(init: Init<ContainerConfig>): ContainerConfig {
  const message = codec("ContainerConfig");
  return message.decode(message.encode(init));
}

export function sandboxConfig(init: Init<PodSandboxConfig>): PodSandboxConfig {
  const message = codec("PodSandboxConfig");
  return message.decode(message.encode(init));
}

/** A whole input for tests: an unprivileged container in a pod that shares the host's namespaces. */
export function specInput(rootfsPath: string, config: Init<ContainerConfig>, over: Partial<SpecInput> = {}): SpecInput {
  const metadata = { name: "pod", namespace: "default", uid: "u-1" };
  return {
    containerId: "c1",
    sandbox: { id: "s1", config: sandboxConfig({ metadata }), namespaces: {}, hostname: "web-0", privileged: false },
    config: containerConfig({ metadata: { name: "app" }, command: ["/bin/true"], ...config }),
    image: { id: `sha256:${"0".repeat(64)}`, name: "busybox:1", config: {} },
    rootfsPath,
    cgroup: { version: "v1", driver: "cgroupfs", path: "/berth-spec-test/c1" },
    defaults: { capabilities: defaultCapabilities },
    daemon: { capabilities: daemonCapabilities(), oomScoreAdj: 0, hasSysResource: false },
    features: {
      apparmor: false,
      seccomp: true,
      recursiveReadOnlyMounts: false,
      idMappedMounts: false,
      intelRdt: false,
      netDevices: false,
    },
    selinux: {},
    cdi: { enabled: true, specDirs: [], allowHooks: false },
    volumesDir: `${rootfsPath}-volumes`,
    ...over,
  };
}
