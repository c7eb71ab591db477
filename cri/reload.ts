import { applyReload } from "../api/config/reload";
import type { Config } from "../api/config/schema";
import { messageOf } from "../api/errors";
import type { Logger } from "./log";

/** Reads the configuration anew and takes over what can change while the daemon runs; a wrong one changes nothing. */
export function reloadConfig({ config, log }: { config: Config; log: Logger }, read: () => Config): void {
  let next: Config;
  try {
    next = read();
  } catch (error) {
    log.error("the configuration is not reloaded, what was in force still is", { error: messageOf(error) });
    return;
  }
  const { applied, waiting } = applyReload(config, next);
  log.level = config.log.level;
  log.format = config.log.format;
  log.info("the configuration is reloaded", { applied: applied.join(" "), restart_needed: waiting.join(" ") });
  for (const option of applied) log.info(`${option} is changed`);
  for (const option of waiting) log.warn(`${option} is changed in the file and holds after a restart`);
}
