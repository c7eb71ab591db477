import type net from "node:net";
import type { Duplex } from "node:stream";
import { forwardConnection } from "./forward-connection";
import { SpdyConnection } from "./spdy/connection";
import type { SpdyStream } from "./spdy/stream";

export const portForwardProtocol = "portforward.k8s.io";

/** Two streams a connection. */
const mostStreams = 1000;

export interface PortForwardSessionRequest {
  /** Anything that carries SPDY: a socket, or a WebSocket that SPDY runs through. */
  transport: Duplex;
  streamCreationTimeoutMs: number;
  dial(port: number): Promise<net.Socket>;
}

interface Pair {
  data?: SpdyStream;
  errors?: SpdyStream;
  timer: NodeJS.Timeout;
}

/**
 * Forwards any number of connections over one of a client, until that ends. Each is a pair of streams with the same
 * header `requestid`; clients older than Kubernetes 1.1 send none, and open the error stream right before the data
 * stream (k8s.io/kubelet pkg/cri/streaming/portforward, httpstream.go).
 */
export function runPortForwardSession(request: PortForwardSessionRequest): Promise<void> {
  const pairs = new Map<string, Pair>();
  const drop = (id: string) => {
    const pair = pairs.get(id);
    pairs.delete(id);
    clearTimeout(pair?.timer);
    return pair;
  };
  return new Promise((resolve) => {
    new SpdyConnection(request.transport, {
      maxStreams: mostStreams,
      onStream(stream) {
        const type = stream.headers.get("streamtype");
        const port = Number(stream.headers.get("port"));
        if ((type !== "data" && type !== "error") || !Number.isInteger(port) || port < 1 || port > 65535) {
          stream.destroy();
          return;
        }
        const id = stream.headers.get("requestid") ?? String(type === "error" ? stream.streamId : stream.streamId - 2);
        let pair = pairs.get(id);
        if (!pair) {
          const timer = setTimeout(() => {
            const lone = drop(id);
            lone?.data?.destroy();
            lone?.errors?.destroy();
          }, request.streamCreationTimeoutMs);
          pair = { timer };
          pairs.set(id, pair);
        }
        const place = type === "data" ? "data" : "errors";
        if (pair[place]) {
          stream.destroy();
          return;
        }
        pair[place] = stream;
        if (!pair.data || !pair.errors) return;
        drop(id);
        // the client says nothing there, but its end must be seen
        pair.errors.resume();
        forwardConnection({ data: pair.data, errors: pair.errors, port }, request.dial);
      },
      onClose() {
        for (const id of [...pairs.keys()]) drop(id);
        resolve();
      },
    });
  });
}
