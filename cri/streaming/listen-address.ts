import os from "node:os";
import { BerthError } from "../../api/errors";

export interface ListenAddress {
  host: string;
  port: number;
}

/** Reads "address:port", an IPv6 address in brackets. Throws InvalidArgument. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]/]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65535) {
    throw new BerthError("InvalidArgument", `streaming.address "${text.slice(0, 100)}" is no address with a port`);
  }
  return { host: (match[1] ?? match[2])!, port };
}

/** The host that a URL names for a server that listens at `host`: for all addresses, the first that is not loopback. */
export function reachableHost(host: string): string {
  if (host !== "0.0.0.0" && host !== "::") return bracketed(host);
  const all = Object.values(os.networkInterfaces()).flatMap((each) => each ?? []);
  const found = all.find(({ internal, family }) => !internal && (host === "::" || family === "IPv4"));
  return bracketed(found?.address ?? (host === "::" ? "::1" : "127.0.0.1"));
}

const bracketed = (host: string) => (host.includes(":") ? `[${host}]` : host);
