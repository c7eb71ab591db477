/** For lists that ask of hundreds at a time: what is told once holds for all that runs before anything is awaited. */
export class FirstOfTurn {
  private isOver = false;

  /** True for the first call, and again after something was awaited. */
  isFirst(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    queueMicrotask(() => {
      this.isOver = false;
    });
    return true;
  }
}
