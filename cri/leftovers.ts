import fs from "node:fs";
import path from "node:path";
import { removeTemporaries } from "../sys/durable-file";
import { readMountInfo } from "../sys/mount-info";
import { findLeaks } from "./doctor/leaks";
import { takeAway } from "./doctor/take-away";
import type { Services } from "./services";

/**
 * Takes away what belongs to no sandbox and no container, whatever has left it, and says so in the log. To be called
 * once recovery has settled which there are, and before any request comes.
 */
export async function takeAwayLeftovers(services: Services): Promise<void> {
  const { config, paths, store, log } = services;
  const ids = new Set<string>([...store.sandboxes.list(), ...store.containers.list()].map(({ id }) => id));
  const leaks = await findLeaks({ config, paths, daemon: { version: "", unready: [], ids }, minAgeMs: 0 });
  const { taken, failed } = await takeAway(leaks, config);
  // damaged ones, for recovery has taken the others; a command may not, for it can't see what a daemon still needs
  for (const leak of leaks.filter(({ kind }) => kind === "writable layer")) {
    await fs.promises.rm(leak.what, { recursive: true, force: true });
    taken.push(leak);
  }
  for (const { kind, what, id } of taken) log.warn("what belongs to no pod is taken away", { kind, what, id });
  for (const failure of failed) log.error("what belongs to no pod could not be taken away", { failure });
  for (const file of temporaries(services)) {
    fs.rmSync(file, { recursive: true, force: true });
    log.debug("a file that was not finished is taken away", { file });
  }
}

/** Of records that were being written, and of commands that were being started, when an earlier run ended. */
function temporaries({ paths, store }: Services): string[] {
  const bundles = store.containers.list().map(({ id }) => paths.container(id));
  const ofCommands = bundles.flatMap((bundle) =>
    fs
      .readdirSync(bundle)
      .filter((name) => /^(exec|update)-[0-9a-f]{12}\./.test(name))
      .map((name) => path.join(bundle, name)),
  );
  const places = [paths.state, paths.exits, ...bundles, ...store.sandboxes.list().map(({ id }) => paths.sandbox(id))];
  return [...ofCommands, ...places.flatMap((place) => removeTemporaries(place).map((name) => path.join(place, name)))];
}

/**
 * Empties a state directory that was last used before the machine's last boot: on a tmpfs it would be empty, and
 * nothing that it speaks of runs any more. Does nothing while something is mounted there.
 */
export function forgetEarlierBoot({ paths, log }: Pick<Services, "paths" | "log">): void {
  const mounted = readMountInfo().find(({ mountPoint }) => mountPoint.startsWith(`${paths.state}/`));
  if (mounted) {
    log.warn("the state is of an earlier boot, and kept since something is mounted in it", {
      mount: mounted.mountPoint,
    });
    return;
  }
  for (const directory of [paths.sandboxes, paths.containers, paths.exits, paths.runtimes])
    fs.rmSync(directory, { recursive: true, force: true });
  fs.rmSync(paths.expeditesRcu, { force: true });
  log.info("the state is of an earlier boot and is forgotten", { state: paths.state });
}
