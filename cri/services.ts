import type { Config } from "../api/config/schema";
import type { Networks } from "../cni/networks";
import type { ImageService } from "../images/image-service";
import type { RuntimeHandlers } from "../oci/runtime/handlers";
import type { Cgroups } from "../sys/cgroups";
import type { GracePeriods } from "../sys/grace-periods";
import type { KeyedLock } from "../sys/keyed-lock";
import type { Mounts } from "../sys/mounts";
import type { Namespaces } from "../sys/namespaces";
import type { PodEvents } from "./events/pod-events";
import type { Logger } from "./log";
import type { StatePaths } from "./state-paths";
import type { CpuSampler } from "./stats/cpu-sampler";
import type { LoadAverages } from "./stats/load-averages";
import type { WritableLayers } from "./stats/writable-layers";
import type { Store } from "./store/store";
import type { StreamUrls } from "./streaming/requests";

/** What the RPCs work with; made once, in main.ts. */
export interface Services {
  config: Config;
  paths: StatePaths;
  log: Logger;
  store: Store;
  images: ImageService;
  networks: Networks;
  runtimes: RuntimeHandlers;
  namespaces: Namespaces;
  mounts: Mounts;
  cgroups: Cgroups;
  cgroupDriver: "cgroupfs" | "systemd";
  gracePeriods: GracePeriods;
  /** One operation at a time on each sandbox and each container, by ID. */
  locks: KeyedLock;
  events: PodEvents;
  /** What stats are made of beyond what the kernel tells at once. */
  stats: { cpu: CpuSampler; load: LoadAverages; writableLayers: WritableLayers };
  streaming: StreamUrls;
  daemon: DaemonRights;
  /** The loaded AppArmor profile that RuntimeDefault stands for; absent where there is none. */
  apparmorProfile?: string;
  /** What keeps this node from user namespaces; absent where nothing does. */
  noUserNamespaces?: string;
}

/** What this process may do, and so what a container can be given. */
export interface DaemonRights {
  capabilities: string[];
  oomScoreAdj: number;
  hasSysResource: boolean;
}
