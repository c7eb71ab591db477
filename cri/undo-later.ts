import type { UndoStack } from "../sys/undo";
import type { Services } from "./services";

const firstDelayMs = 1000;
const longestDelayMs = 60_000;

/**
 * Undoes what failed, and tries again what of it could not be undone for lack of descriptors, memory or room, until it
 * is. Returns after the first try. What is left when the daemon ends, its next start takes down.
 */
export async function undoSoonerOrLater(
  { log }: Pick<Services, "log">,
  undo: UndoStack,
  of: Record<string, string>,
): Promise<void> {
  const failures = await undo.unwind();
  for (const failure of failures)
    log.error("what has failed could not be undone whole, it is tried again", { ...of, failure });
  if (failures.length > 0) tryAgain(firstDelayMs);

  function tryAgain(delayMs: number): void {
    setTimeout(async () => {
      const left = await undo.unwind();
      if (left.length > 0) tryAgain(Math.min(delayMs * 2, longestDelayMs));
      else log.info("what had failed is undone now", of);
    }, delayMs).unref();
  }
}
