import fs from "node:fs";
import path from "node:path";
import { messageOf } from "../api/errors";
import type { Mounts } from "../sys/mounts";
import { inNewUserNamespace } from "../sys/user-namespace";

/** As much as Kubernetes gives a pod, away from the host's own IDs. */
const mapping = [{ containerId: 0, hostId: 65536, length: 65536 }];

/**
 * Tries once what a pod with a user namespace needs of this node: such a namespace, and an overlay of ID-mapped layers
 * where layers are kept, below `root`. Returns what is in the way; undefined where nothing is.
 */
export async function findUserNamespaceObstacle(root: string, mounts: Mounts): Promise<string | undefined> {
  try {
    await inNewUserNamespace({ types: [], uids: mapping, gids: mapping }, (pid) =>
      tryOverlay(root, mounts, `/proc/${pid}/ns/user`),
    );
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function tryOverlay(root: string, mounts: Mounts, userNamespace: string): void {
  const directory = fs.mkdtempSync(path.join(root, ".userns-"));
  try {
    const [lower, upper, work, target] = ["lower", "upper", "work", "target"].map((name) => {
      const one = path.join(directory, name);
      fs.mkdirSync(one);
      return one;
    }) as [string, string, string, string];
    mounts.overlay({ lower: [lower], upper, work, target, userNamespace });
    mounts.unmount(target);
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}
