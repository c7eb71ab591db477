import fs from "node:fs";
import { messageOf } from "../../api/errors";
import { nowNs } from "../clock";
import type { Services } from "../services";
import type { Container, ContainerExit } from "../store/container";
import { isLost, readExit, recordExit, unknownExit } from "./exit";

/** How often to look for containers whose monitor was killed and will leave no file. */
const lostCheckMs = 3000;

/**
 * Sees containers end: conmon leaves a file for each in one directory. Returns what stops the watch. Call it before
 * looking at what ended meanwhile, so that none falls between.
 */
export function watchExits(services: Services): () => void {
  const { paths, store, log } = services;
  /** What fails is told, and tried again with the next look at those whose monitor has gone. */
  const note = async (container: Container, find: () => ContainerExit | undefined) => {
    try {
      const exit = container.record.exit ? undefined : find();
      if (exit) await recordExit(services, container, exit);
    } catch (error) {
      log.error(`a container's end can't be told yet: ${messageOf(error)}`, { container: container.id });
    }
  };
  const watcher = fs.watch(paths.exits, (_event, name) => {
    // conmon writes beside and renames; names with more than the ID are not there yet
    const container = store.containers.exactly(name ?? "");
    if (container) void note(container, () => readExit(services, container));
  });
  watcher.on("error", (error) => log.error("the watch over ended containers failed", { error: messageOf(error) }));
  const timer = setInterval(() => {
    for (const container of store.containers.list()) {
      void note(container, () => {
        if (!isLost(container)) return undefined;
        return readExit(services, container) ?? unknownExit("the container's monitor is gone", String(nowNs()));
      });
    }
  }, lostCheckMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    watcher.close();
  };
}
