import type { ContainerConfig, PodSandboxConfig } from "../../api/messages";
import type { SelinuxLabels } from "./selinux";
import type { UserNamespace } from "../../sys/id-mapping";

/** All that a container's runtime spec is made from. Nothing else is looked at but the host's own files. */
export interface SpecInput {
  containerId: string;
  sandbox: SpecSandbox;
  config: ContainerConfig;
  image: SpecImage;
  /** The container's root filesystem, mounted; nothing runs in it yet. */
  rootfsPath: string;
  cgroup: SpecCgroup;
  defaults: SpecDefaults;
  daemon: SpecDaemon;
  features: SpecFeatures;
  cdi: SpecCdi;
  /** What SELinux knows the container and its files by; empty where that is off, or no label is asked for. */
  selinux: SelinuxLabels;
  /** The PID namespace of the container that NamespaceMode TARGET points to. */
  targetPidPath?: string;
  /** A directory of this container's own, where the image's `Volumes` get their directories. */
  volumesDir: string;
  /** For each index of `config.mounts` with an image: the tree of that image on the host, sub-path applied. */
  imageMounts?: Map<number, string>;
  /** Requested devices belong to the user and group of the request, where it names these and they are not root. */
  deviceOwnership?: boolean;
  /** By the handler's configuration, a privileged container gets no devices but its own. */
  privilegedWithoutHostDevices?: boolean;
  /** Keys of annotations that the runtime may see, by the handler's configuration; a `*` at the end stands for any rest. */
  allowedAnnotations?: string[];
}

export interface SpecSandbox {
  id: string;
  config: PodSandboxConfig;
  /** Paths of pinned namespaces; undefined is the host's. `pid` is there only for a pod that shares one. */
  namespaces: { network?: string; ipc?: string; uts?: string; pid?: string; user?: UserNamespace };
  /** What processes inside know as their host's name, never empty. */
  hostname: string;
  /** Files of the host for /etc/hosts, /etc/resolv.conf and /etc/hostname; left out where undefined. */
  hostsPath?: string;
  resolvConfPath?: string;
  hostnamePath?: string;
  /** The directory for /dev/shm, where the pod has its own. */
  shmPath?: string;
  privileged: boolean;
}

/** The `config` of an OCI image configuration, as far as a spec needs it (image-spec config.md). */
export interface SpecImageConfig {
  User?: string;
  Env?: string[] | null;
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  WorkingDir?: string;
  Volumes?: Record<string, unknown> | null;
}

export interface SpecImage {
  id: string;
  /** As the client asked for it. */
  name: string;
  config: SpecImageConfig;
}

export type CgroupVersion = "v1" | "v2" | "hybrid";

export interface SpecCgroup {
  version: CgroupVersion;
  driver: "cgroupfs" | "systemd";
  /** The value of linux.cgroupsPath. */
  path: string;
}

export interface SpecDefaults {
  /** What a container has before anything is added or dropped, with CAP_. */
  capabilities: string[];
  /** An absolute path of a seccomp profile to stand for RuntimeDefault; the built-in one otherwise. */
  seccompProfilePath?: string;
  /** The name of a loaded AppArmor profile to stand for RuntimeDefault; none otherwise. */
  apparmorProfile?: string;
  /** 0 or undefined for no limit. */
  pidsLimit?: number;
  ulimits?: { type: string; soft: number | bigint; hard: number | bigint }[];
}

export interface SpecDaemon {
  /** What "all capabilities" are here: `daemonCapabilities()`. */
  capabilities: string[];
  oomScoreAdj: number;
  hasSysResource: boolean;
}

/** How devices by name are looked up (Container Device Interface). */
export interface SpecCdi {
  enabled: boolean;
  /** A later directory goes before an earlier one. */
  specDirs: string[];
  /** Whether a file may have programs run on the host. */
  allowHooks: boolean;
}

/** What the kernel and the runtime handler can do. */
export interface SpecFeatures {
  apparmor: boolean;
  seccomp: boolean;
  recursiveReadOnlyMounts: boolean;
  idMappedMounts: boolean;
  intelRdt: boolean;
  netDevices: boolean;
}
