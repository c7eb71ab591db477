import type { SpecMount } from "../runtime-spec";
import { mappingsOf } from "./cri-mount";
import type { SpecSandbox } from "./input";

export interface PodMountsInput {
  sandbox: Pick<SpecSandbox, "hostsPath" | "hostnamePath" | "resolvConfPath" | "shmPath" | "namespaces">;
  hostIpc: boolean;
  readonlyRootfs: boolean;
  idMappedMounts: boolean;
}

/** The files that the pod's containers share, and its /dev/shm, which is the host's with the host's IPC namespace. */
export function podMounts({ sandbox, hostIpc, readonlyRootfs, idMappedMounts }: PodMountsInput): SpecMount[] {
  const user = sandbox.namespaces.user;
  const mappings = user && idMappedMounts ? mappingsOf(user.uids, user.gids) : {};
  const file = (destination: string, source: string | undefined): SpecMount[] => {
    if (source === undefined) return [];
    const options = ["rbind", "rprivate", readonlyRootfs ? "ro" : "rw"];
    return [{ destination, type: "bind", source, options, ...mappings }];
  };
  const shm = hostIpc ? "/dev/shm" : sandbox.shmPath;
  return [
    ...file("/etc/hostname", sandbox.hostnamePath),
    ...file("/etc/hosts", sandbox.hostsPath),
    ...file("/etc/resolv.conf", sandbox.resolvConfPath),
    // written by everyone who shares the pod's IPC, so never read-only and never mapped
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
