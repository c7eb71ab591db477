import type { SpecMount } from "../runtime-spec";
import type { SpecSandbox } from "./input";

export interface PodMountsInput {
  sandbox: Pick<SpecSandbox, "hostsPath" | "hostnamePath" | "resolvConfPath" | "shmPath">;
  hostIpc: boolean;
  readonlyRootfs: boolean;
}

/**
 * The files that the pod's containers share, and its /dev/shm, which is the host's with the host's IPC namespace. They
 * are owned by the pod's root already, so a user namespace needs no mapping of them.
 */
export function podMounts({ sandbox, hostIpc, readonlyRootfs }: PodMountsInput): SpecMount[] {
  const file = (destination: string, source: string | undefined): SpecMount[] => {
    if (source === undefined) return [];
    const options = ["rbind", "rprivate", readonlyRootfs ? "ro" : "rw"];
    return [{ destination, type: "bind", source, options }];
  };
  const shm = hostIpc ? "/dev/shm" : sandbox.shmPath;
  return [
    ...file("/etc/hostname", sandbox.hostnamePath),
    ...file("/etc/hosts", sandbox.hostsPath),
    ...file("/etc/resolv.conf", sandbox.resolvConfPath),
    // written by everyone who shares the pod's IPC, so never read-only
    ...(shm === undefined
      ? [
          {
            destination: "/dev/shm",
            type: "tmpfs",
            source: "shm",
            options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
          },
        ]
      : [{ destination: "/dev/shm", type: "bind", source: shm, options: ["rbind", "rprivate", "rw"] }]),
  ];
}
