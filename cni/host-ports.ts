import net from "node:net";
import { BerthError } from "../api/errors";
import type { SandboxId } from "../api/ids";
import { isJsonObject, type JsonObject } from "./json-object";

/** A sandbox that wants ports of the host, or has them. */
export interface PortHolder {
  sandboxId: SandboxId;
  namespace: string;
  name: string;
  uid: string;
}

interface HostPort {
  port: number;
  protocol: string;
  /** Empty for every address. */
  address: string;
}

/**
 * Which sandbox has which ports of the host. Plugins let a later one take them from an earlier one, unseen by either.
 * What a sandbox has is held until its network is taken down. An address that is not stated, 0.0.0.0 and :: are all
 * addresses, as for the scheduler.
 */
export class HostPorts {
  private readonly held = new Map<SandboxId, { holder: PortHolder; ports: HostPort[] }>();

  /**
   * Takes the ports of `capabilityArgs` for a sandbox, all or none. Throws FailedPrecondition that names the pod which
   * has one of them; another sandbox of the same pod is in nobody's way, since it is about to go.
   */
  claim(holder: PortHolder, capabilityArgs: JsonObject): void {
    const wanted = portsOf(capabilityArgs);
    for (const { holder: other, ports } of this.held.values()) {
      if (other.sandboxId === holder.sandboxId || other.uid === holder.uid) continue;
      const taken = wanted.find((port) => ports.some((held) => conflicts(port, held)));
      if (taken) throw conflict(taken, other);
    }
    this.hold(holder, capabilityArgs);
  }

  /** Knows of a sandbox that has its ports already. */
  hold({ sandboxId, namespace, name, uid }: PortHolder, capabilityArgs: JsonObject): void {
    const ports = portsOf(capabilityArgs);
    if (ports.length > 0) this.held.set(sandboxId, { holder: { sandboxId, namespace, name, uid }, ports });
  }

  release(sandboxId: SandboxId): void {
    this.held.delete(sandboxId);
  }
}

function portsOf({ portMappings }: JsonObject): HostPort[] {
  const mappings = Array.isArray(portMappings) ? portMappings.filter(isJsonObject) : [];
  return mappings.map(({ hostPort, protocol, hostIP }) => ({
    port: Number(hostPort),
    protocol: String(protocol),
    address: plainAddress(typeof hostIP === "string" ? hostIP : ""),
  }));
}

/** One spelling for an address of IPv6, which has many; empty for all addresses. */
function plainAddress(text: string): string {
  const family = net.isIP(text);
  if (family === 0) return "";
  const { address } = new net.SocketAddress({ address: text, family: family === 4 ? "ipv4" : "ipv6" });
  return address === "0.0.0.0" || address === "::" ? "" : address;
}

const conflicts = (a: HostPort, b: HostPort) =>
  a.port === b.port && a.protocol === b.protocol && (a.address === "" || b.address === "" || a.address === b.address);

function conflict({ port, protocol, address }: HostPort, { namespace, name, sandboxId }: PortHolder): BerthError {
  const where = address.includes(":") ? `[${address}]:` : address && `${address}:`;
  const who = `pod ${namespace}/${name} (sandbox ${sandboxId})`;
  return new BerthError("FailedPrecondition", `host port ${where}${port}/${protocol} is taken by ${who}`, {
    hint: "stop that pod first, or choose another port",
  });
}
