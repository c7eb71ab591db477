import type net from "node:net";
import { Duplex, type Readable, type Writable } from "node:stream";
import type { WebSocket } from "ws";
import { forwardConnection } from "./forward-connection";
import type { ChannelProtocol } from "./websocket/channel-protocols";
import { Channels } from "./websocket/channels";

/**
 * Ports over WebSocket channels, as clients without SPDY do it: for each port in turn a data and an error channel, each
 * of which begins with the port in two bytes, little-endian (k8s.io/kubelet pkg/cri/streaming/portforward,
 * websocket.go). A port serves one connection. Resolves when the client has gone.
 */
export async function runPortChannels(
  socket: WebSocket,
  { protocol, ports }: { protocol: ChannelProtocol; ports: number[] },
  dial: (port: number) => Promise<net.Socket>,
): Promise<void> {
  const channels = new Channels(socket, protocol);
  ports.forEach((port, index) => {
    const data = joined(channels.reader(index * 2), channels.writer(index * 2));
    const errors = channels.writer(index * 2 + 1);
    const number = Buffer.alloc(2);
    number.writeUInt16LE(port);
    data.write(number);
    errors.write(number);
    forwardConnection({ data, errors, port }, dial);
  });
  await new Promise<void>((resolve) => {
    if (channels.gone.aborted) resolve();
    channels.gone.addEventListener("abort", () => resolve(), { once: true });
  });
}

function joined(readable: Readable, writable: Writable): Duplex {
  const both = Duplex.from({ readable, writable });
  // of itself it leaves one alone once the other has ended, and a client that nobody reads is never seen to go
  both.once("close", () => {
    readable.destroy();
    writable.destroy();
  });
  return both;
}
