import { runProcess } from "../../sys/spawn";
import { runtimeEnvironment } from "./runtime-environment";

/** What an OCI runtime can do, as far as the CRI speaks of it. */
export interface RuntimeFeatures {
  version: string;
  recursiveReadOnlyMounts: boolean;
  idMappedMounts: boolean;
  /**
   * Whether `exec` hands over its terminal (`--console-socket`) and still waits for the command. runc does so only with
   * --detach, which loses the exit code.
   */
  handsOverTerminal: boolean;
  /** Intel's resctrl, for CDI files that ask for it. */
  intelRdt: boolean;
  /** Network interfaces of the host that move into a container, likewise. */
  netDevices: boolean;
}

/**
 * Asks the runtime (runtime spec, features.md); releases of crun before 1.9 cannot say, and are known by their version.
 * `root` is for its state: crun makes its directory even for this, and would make /run/crun.
 */
export async function readFeatures(file: string, root: string): Promise<RuntimeFeatures> {
  const env = runtimeEnvironment();
  const [features, version] = await Promise.all([
    runProcess({ file, args: [`--root=${root}`, "features"], env, timeoutMs: 10_000 }),
    runProcess({ file, args: [`--root=${root}`, "--version"], env, timeoutMs: 10_000 }),
  ]);
  const [, name = "", number = ""] = /^(crun|runc)\s+(?:version\s+)?(\S+)/m.exec(version.stdout) ?? [];
  const handsOverTerminal = name === "crun";
  if (features.code === 0) {
    const said = JSON.parse(features.stdout) as {
      mountOptions?: string[];
      linux?: {
        mountExtensions?: { idmap?: { enabled?: boolean } };
        intelRdt?: { enabled?: boolean };
        netDevices?: { enabled?: boolean };
      };
    };
    return {
      version: number,
      handsOverTerminal,
      recursiveReadOnlyMounts: said.mountOptions?.includes("rro") ?? false,
      idMappedMounts: said.linux?.mountExtensions?.idmap?.enabled ?? false,
      intelRdt: said.linux?.intelRdt?.enabled ?? false,
      netDevices: said.linux?.netDevices?.enabled ?? false,
    };
  }
  return {
    version: number,
    handsOverTerminal,
    recursiveReadOnlyMounts: name === "crun" && isAtLeast(number, 1, 4),
    idMappedMounts: false,
    intelRdt: false,
    netDevices: false,
  };
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split(".").map(Number);
  return a > major || (a === major && b >= minor);
}
