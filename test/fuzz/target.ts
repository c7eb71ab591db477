/** What is fuzzed: one run takes one input, and throws where a promise of the code is broken. */
export interface FuzzTarget {
  /** Valid inputs, from which others are made. */
  seeds(): Buffer[];
  run(input: Buffer): void | Promise<void>;
  /** Inputs of this form are changed by their parts too, not only byte by byte. */
  form?: "json" | "tar";
  /** Where in an input the form begins; the bytes before it choose what is done. */
  formAt?: number;
  /** Words that the sources do not name. */
  dictionary?: string[];
  /** Called at the end. */
  close?(): void;
}

/** Fails the run: the code has broken a promise. */
export function promise(isKept: boolean, text: () => string): asserts isKept {
  if (!isKept) throw new Error(text());
}
