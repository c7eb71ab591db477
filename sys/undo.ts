import { messageOf } from "../api/errors";

type Step = { what: string; undo: () => void | Promise<void> };

/**
 * The way back from a half-done operation. Each step is pushed before what it undoes, must hold when that never
 * happened, and runs in reverse. A step that fails is reported, does not keep the others from running, and stays.
 */
export class UndoStack {
  private steps: Step[] = [];

  push(what: string, undo: () => void | Promise<void>): void {
    this.steps.push({ what, undo });
  }

  /** All is well: nothing is to be undone. */
  clear(): void {
    this.steps = [];
  }

  /** Undoes everything; returns what could not be undone, empty where all could. Another call tries that again. */
  async unwind(): Promise<string[]> {
    const failures: string[] = [];
    const failed: Step[] = [];
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        failures.push(`${step.what}: ${messageOf(error)}`);
        failed.unshift(step);
      }
    }
    this.steps = failed;
    return failures;
  }
}
