import { Client } from "../client/client";
import { version } from "../version";
import { type DaemonAnswer, type Finding, findings, type Node } from "./finding";

const timeoutMs = 5000;

/** Asks the daemon what it is and has; undefined where none answers. */
export async function askDaemon(socket: string): Promise<DaemonAnswer | undefined> {
  const client = new Client(socket);
  try {
    const { runtimeVersion } = await client.runtime("Version", {}, { timeoutMs });
    const [{ status }, { items }, { containers }] = await Promise.all([
      client.runtime("Status", {}, { timeoutMs }),
      client.runtime("ListPodSandbox", {}, { timeoutMs }),
      client.runtime("ListContainers", {}, { timeoutMs }),
    ]);
    const unready = (status?.conditions ?? []).filter((condition) => !condition.status);
    return {
      version: runtimeVersion,
      unready: unready.map(({ type, reason, message }) => `${type} is false, ${reason}: ${message}`),
      ids: new Set([...items.map(({ id }) => id), ...containers.map(({ id }) => id)]),
    };
  } catch {
    return undefined;
  } finally {
    client.close();
  }
}

export function checkDaemon({ config, daemon }: Node): Finding[] {
  const { list, ok, warning, error } = findings("daemon");
  if (!daemon) {
    error(`no daemon answers on ${config.socket}`, "systemctl start berth; `journalctl -u berth` tells why it ended");
    return list;
  }
  ok(`Berth ${daemon.version} answers on ${config.socket}`);
  if (daemon.version !== version)
    warning(`the daemon is Berth ${daemon.version}, this command ${version}`, "systemctl restart berth; pods go on");
  for (const condition of daemon.unready) error(condition, "see the findings of the network");
  return list;
}
