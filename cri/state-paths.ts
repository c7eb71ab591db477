import path from "node:path";
import type { ContainerId, SandboxId } from "../api/ids";

/** Where the daemon keeps what lives, below the `state` directory of the configuration. */
export class StatePaths {
  constructor(readonly state: string) {}

  get sandboxes(): string {
    return path.join(this.state, "sandboxes");
  }
  get containers(): string {
    return path.join(this.state, "containers");
  }
  /** conmon leaves the exit code of each container here. */
  get exits(): string {
    return path.join(this.state, "exits");
  }
  /** The OCI runtimes' own state. */
  get runtimes(): string {
    return path.join(this.state, "runtimes");
  }
  /** Is there while this daemon has the kernel expedite its grace periods. */
  get expeditesRcu(): string {
    return path.join(this.state, "expedites-rcu");
  }

  /** Records that can't be read are kept here, to be looked at. */
  get damaged(): string {
    return path.join(this.state, "damaged");
  }

  sandbox(id: SandboxId): string {
    return path.join(this.sandboxes, id);
  }
  /** A container's bundle: config.json, the monitor's files and the mounted rootfs. */
  container(id: ContainerId): string {
    return path.join(this.containers, id);
  }
  rootfs(id: ContainerId): string {
    return path.join(this.container(id), "rootfs");
  }
}
