import fs from "node:fs";
import path from "node:path";
import type { Config } from "../../api/config/schema";
import { BerthError } from "../../api/errors";
import { GracePeriods } from "../../sys/grace-periods";
import { takeLockFile } from "../../sys/lock-file";
import { readMountInfo } from "../../sys/mount-info";
import { StatePaths } from "../state-paths";

/**
 * Removes all that a daemon has written: images, state and the plugins' results. Throws FailedPrecondition where a daemon
 * runs on it, or where something is mounted below, which may be a volume of the host's.
 */
export function purge(config: Config, say: (line: string) => void): void {
  const directories = [config.root, config.state, config.cni.cache_dir].filter((each) => fs.existsSync(each));
  const unlock = [config.root, config.state].filter((each) => fs.existsSync(each)).map(lock);
  try {
    const mounts = readMountInfo();
    const mounted = mounts.find(({ mountPoint }) => directories.some((each) => mountPoint.startsWith(`${each}/`)));
    if (mounted) {
      throw new BerthError("FailedPrecondition", `something is mounted on ${mounted.mountPoint}: nothing was removed`, {
        hint: "it belongs to a pod: start Berth again, remove its pods, and purge then",
      });
    }
    new GracePeriods({ marker: new StatePaths(config.state).expeditesRcu, enabled: false }).settle();
    for (const directory of directories) {
      for (const name of fs.readdirSync(directory))
        fs.rmSync(path.join(directory, name), { recursive: true, force: true });
      // a disk of its own stays mounted
      if (!mounts.some(({ mountPoint }) => mountPoint === directory)) fs.rmdirSync(directory);
      say(`${directory} is removed`);
    }
  } finally {
    for (const each of unlock) each();
  }
}

const lock = (directory: string) => takeLockFile(path.join(directory, "lock"));
