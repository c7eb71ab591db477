import fs from "node:fs";
import { messageOf } from "../../api/errors";
import { nowNs } from "../clock";
import type { Services } from "../services";
import { isLost, readExit, recordExit, unknownExit } from "./exit";

/** How often to look for containers whose monitor was killed and will leave no file. */
const lostCheckMs = 3000;

/**
 * Sees containers end: conmon leaves a file for each in one directory. Returns what stops the watch. Call it before
 * looking at what ended meanwhile, so that none falls between.
 */
export function watchExits(services: Services): () => void {
  const { paths, store, log } = services;
  const seen = (name: string) => {
    const container = store.containers.list().find((each) => each.id === name);
    if (!container || container.record.exit) return;
    const exit = readExit(services, container);
    if (exit) recordExit(services, container, exit).catch((error) => log.error(messageOf(error), { container: name }));
  };
  const watcher = fs.watch(paths.exits, (_event, name) => {
    // conmon writes beside and renames; names with more than the ID are not there yet
    if (name) seen(name);
  });
  watcher.on("error", (error) => log.error("the watch over ended containers failed", { error: messageOf(error) }));
  const timer = setInterval(() => {
    for (const container of store.containers.list()) {
      if (container.record.exit || !isLost(container)) continue;
      const exit = readExit(services, container) ?? unknownExit("the container's monitor is gone", String(nowNs()));
      recordExit(services, container, exit).catch((error) => log.error(messageOf(error), { container: container.id }));
    }
  }, lostCheckMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    watcher.close();
  };
}
