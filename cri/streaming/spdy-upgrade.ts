import type { IncomingMessage } from "node:http";

/** The subprotocols that a SPDY client offers: one header each, or several in one (k8s.io/streaming, httpstream.go). */
export const offeredStreamProtocols = (request: IncomingMessage): string[] =>
  [request.headers["x-stream-protocol-version"] ?? []]
    .flat()
    .flatMap((value) => value.split(","))
    .map((name) => name.trim())
    .filter(Boolean);

/** The client's first choice that we have; undefined for none. A client that names none speaks the oldest. */
export function chooseProtocol(offered: string[], ours: string[], oldest: string): string | undefined {
  if (offered.length === 0) return oldest;
  return offered.find((name) => ours.includes(name));
}

/** The answer that makes the connection SPDY. */
export const spdyAccepted = (protocol: string): string =>
  [
    "HTTP/1.1 101 Switching Protocols",
    "Connection: Upgrade",
    "Upgrade: SPDY/3.1",
    `X-Stream-Protocol-Version: ${protocol}`,
    "\r\n",
  ].join("\r\n");
