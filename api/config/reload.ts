import type { Section } from "./options";
import { type Config, configSchema } from "./schema";

/**
 * Options that are looked up at each use, so that a change holds from the next use on. A table here means its entries
 * as a whole; NAME is any entry of one.
 */
const atOnce = new Set([
  "log.level",
  "log.format",
  "runtime.default_capabilities",
  "runtime.default_sysctls",
  "runtime.seccomp_profile",
  "runtime.pids_limit",
  "runtime.handlers.NAME.allowed_annotations",
  "images.certs_dirs",
  "images.auth_files",
  "images.max_concurrent_downloads",
  "images.progress_timeout_s",
  "images.pinned",
  "images.registries",
]);

export const reloadableOptions: ReadonlySet<string> = atOnce;

/** For the reference: when a change of the option holds; of an option within a table the key has NAME in it. */
export function describeReload(key: string): "at once" | "no" {
  return atOnce.has(key) || atOnce.has(key.replace(/\.NAME\..*$/, "")) ? "at once" : "no";
}

/** What differs between two configurations, by key. Values are not told: there are secrets among them. */
export interface Reload {
  applied: string[];
  /** What holds after a restart only. */
  waiting: string[];
}

interface Level {
  section: Section<unknown>;
  live: Record<string, unknown>;
  next: Record<string, unknown>;
  /** Of the key, with and without the names of entries. */
  prefix: string;
  pattern: string;
}

/** Brings `live` up to `next` in place, as far as that has an effect without a restart. */
export function applyReload(live: Config, next: Config): Reload {
  const reload: Reload = { applied: [], waiting: [] };
  const root = { live: live as unknown as Level["live"], next: next as unknown as Level["next"] };
  applyLevel({ section: configSchema, ...root, prefix: "", pattern: "" }, reload);
  return reload;
}

function applyLevel({ section, live, next, prefix, pattern }: Level, reload: Reload): void {
  for (const [name, option] of Object.entries(section.options)) {
    const [key, keyPattern] = [`${prefix}${name}`, `${pattern}${name}`];
    if (JSON.stringify(live[name]) === JSON.stringify(next[name])) continue;
    const isTable = option.kind === "tables";
    if (option.kind === "section" || (isTable && !atOnce.has(keyPattern))) {
      const inner = { live: live[name] as Level["live"], next: next[name] as Level["next"] };
      if (option.kind === "section") {
        applyLevel({ section: option, ...inner, prefix: `${key}.`, pattern: `${keyPattern}.` }, reload);
        continue;
      }
      for (const entry of new Set([...Object.keys(inner.live), ...Object.keys(inner.next)])) {
        const [before, after] = [inner.live[entry] as Level["live"], inner.next[entry] as Level["next"]];
        const at = { prefix: `${key}.${entry}.`, pattern: `${keyPattern}.NAME.` };
        if (before && after) applyLevel({ section: option.of, live: before, next: after, ...at }, reload);
        else reload.waiting.push(`${key}.${entry}`);
      }
    } else if (atOnce.has(keyPattern)) {
      live[name] = next[name];
      reload.applied.push(key);
    } else reload.waiting.push(key);
  }
}
