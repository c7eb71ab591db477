import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../api/errors";
import type { SandboxId } from "../api/ids";
import type { Services } from "./services";

/** The longest that the daemon's start waits for plugins, which may need pods that are still to come. */
const startPatienceMs = 5000;

/** The sandboxes whose network must be left alone: one that is being made has its directory before the store has it. */
export function sandboxesWithNetwork({ store, paths }: Services): Set<SandboxId> {
  const directories = fs.readdirSync(paths.sandboxes) as SandboxId[];
  return new Set([...store.sandboxes.list().map(({ id }) => id), ...directories]);
}

/** Gives back the networks of all sandboxes but the `valid` ones. Returns whose, and what failed and is to be tried again. */
export async function giveBack(
  { networks }: Pick<Services, "networks">,
  valid: ReadonlySet<SandboxId>,
): Promise<{ given: SandboxId[]; failures: string[] }> {
  const stale = networks.attachments().filter((id) => !valid.has(id));
  const failures = await networks.gc(valid);
  const left = new Set(networks.attachments());
  return { given: stale.filter((id) => !left.has(id)), failures };
}

/**
 * Gives back what pods that are gone still have of their networks: now, and then every `intervalMs` (0 for never again).
 * To be called before any pod is made. Returns once the first time is over or has taken too long, with what stops the
 * others.
 */
export async function collectNetworkGarbage(services: Services, intervalMs: number): Promise<() => void> {
  const { log, store } = services;
  // of those that could not be taken down whole, the network is tried again too
  const leftOver = [...sandboxesWithNetwork(services)].filter((id) => !store.sandboxes.find(id));
  let underWay: Promise<void> | undefined;
  let told = new Set<string>();
  const collect = async () => {
    const valid = sandboxesWithNetwork(services);
    for (const id of leftOver) valid.delete(id);
    const { given, failures } = await giveBack(services, valid);
    for (const id of given) log.warn("the network of a sandbox that is gone is given back", { sandbox: id });
    for (const failure of failures) if (!told.has(failure)) log.warn("a network attachment is left over", { failure });
    told = new Set(failures);
  };
  const once = () => {
    underWay ??= collect()
      .catch((error) => log.error("networks could not be cleared of what is left over", { error: messageOf(error) }))
      .finally(() => {
        underWay = undefined;
      });
    return underWay;
  };
  await Promise.race([once(), sleep(startPatienceMs, undefined, { ref: false })]);
  const timer = intervalMs > 0 ? setInterval(once, intervalMs).unref() : undefined;
  return () => clearInterval(timer);
}
