import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";

/** The most bytes of one message: clients send chunks of 32 KiB, some whole files. */
const messageLimitBytes = 16 << 20;

const server = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  maxPayload: messageLimitBytes,
  clientTracking: false,
});
const chosen = new WeakMap<IncomingMessage, string>();
server.on("headers", (headers, request) => {
  const protocol = chosen.get(request);
  if (protocol) headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
});

export interface UpgradeRequest {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
}

/** The subprotocols that a client offers, in its order. */
export const offeredProtocols = (request: IncomingMessage): string[] =>
  (request.headers["sec-websocket-protocol"] ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);

/**
 * Completes the handshake (RFC 6455, 4.2) with a subprotocol out of those offered, "" for none. The names are taken
 * off the request first: `ws` refuses the slash in SPDY/3.1+portforward.k8s.io, which Kubernetes uses all the same.
 * Answers by itself where the request is no good; the promise then never settles and the socket is closed.
 */
export function acceptWebSocket({ request, socket, head }: UpgradeRequest, protocol: string): Promise<WebSocket> {
  delete request.headers["sec-websocket-protocol"];
  if (protocol) chosen.set(request, protocol);
  return new Promise((resolve) => server.handleUpgrade(request, socket, head, resolve));
}
