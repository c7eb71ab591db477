import v8 from "node:v8";
import vm from "node:vm";
import { declare } from "./libc";

const mallocTrim = declare("int malloc_trim(size_t keep)");
let collect: (() => void) | undefined;

/**
 * Gives memory that is no longer used back to the kernel: V8 collects only while a program goes on allocating, and
 * malloc keeps what it was given back (malloc_trim(3)). Blocks the loop for some 20 to 50 ms; for idle times.
 */
export function trimMemory(): void {
  if (!collect) {
    v8.setFlagsFromString("--expose-gc");
    collect = vm.runInNewContext("gc") as () => void;
  }
  collect();
  mallocTrim(0);
}
