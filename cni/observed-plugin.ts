import { codeOf, type ErrorCode } from "../api/errors";
import type { CallPlugin, CniCommand } from "./plugin";

/** How one call of a plugin went. */
export interface PluginOutcome {
  plugin: string;
  command: CniCommand;
  code: "OK" | ErrorCode;
  seconds: number;
}

/** Calls plugins as `call` does, and tells `observe` of each call once it has ended. */
export function observedCaller(call: CallPlugin, observe: (outcome: PluginOutcome) => void): CallPlugin {
  return async (request) => {
    const start = performance.now();
    const end = (code: PluginOutcome["code"]) =>
      observe({
        plugin: request.type,
        command: request.command,
        code,
        seconds: (performance.now() - start) / 1000,
      });
    try {
      const printed = await call(request);
      end("OK");
      return printed;
    } catch (error) {
      end(codeOf(error));
      throw error;
    }
  };
}
