import { type EngineOptions, fuzz } from "./engine";
import type { FuzzTarget } from "./target";

/** The process that fuzzes one target, a child of hack/fuzz.mjs; what it finds is told as it is found. */
export function main(target: FuzzTarget): void {
  const stop = (error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.send?.({ died: `outside of any call: ${text}` }, () => process.exit(1));
  };
  process.on("uncaughtException", stop);
  process.on("unhandledRejection", stop);
  process.once("message", (options: EngineOptions) => {
    fuzz(target, options).then((report) => process.send?.({ report }, () => process.exit(0)), stop);
  });
}
