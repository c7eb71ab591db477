import type { Duplex } from "node:stream";
import { BerthError } from "../../api/errors";
import { endStream } from "./end-stream";
import { encodeOutcome } from "./outcome";
import type { RemoteStreams } from "./remote-streams";
import type { RemoteCommandFlags } from "./requests";
import { SpdyConnection } from "./spdy/connection";
import type { SpdyStream } from "./spdy/stream";

/** The subprotocols of exec and attach, best first (apimachinery pkg/util/remotecommand, constants.go). */
export const spdyCommandProtocols = [
  "v5.channel.k8s.io",
  "v4.channel.k8s.io",
  "v3.channel.k8s.io",
  "v2.channel.k8s.io",
  "channel.k8s.io",
];

export interface SpdySessionRequest {
  transport: Duplex;
  protocol: string;
  flags: RemoteCommandFlags;
  streamCreationTimeoutMs: number;
}

/** Waits until the client has opened its streams, each named by its header `streamtype`. Rejects where it does not. */
export function openSpdySession(request: SpdySessionRequest): Promise<RemoteStreams> {
  const { transport, protocol, flags, streamCreationTimeoutMs } = request;
  const version = Number(/^v(\d)/.exec(protocol)?.[1] ?? 1);
  const expected = new Set(["error"]);
  for (const name of ["stdin", "stdout", "stderr"] as const) if (flags[name]) expected.add(name);
  if (flags.tty && version >= 3) expected.add("resize");

  const gone = new AbortController();
  return new Promise((resolve, reject) => {
    const streams = new Map<string, SpdyStream>();
    const timer = setTimeout(
      () => connection.destroy(new BerthError("DeadlineExceeded", "the client did not open its streams in time")),
      streamCreationTimeoutMs,
    );
    const connection = new SpdyConnection(transport, {
      maxStreams: expected.size,
      onStream(stream) {
        const type = stream.headers.get("streamtype") ?? "";
        if (!expected.has(type) || streams.has(type)) {
          stream.destroy();
          return;
        }
        streams.set(type, stream);
        if (streams.size < expected.size) return;
        clearTimeout(timer);
        resolve(remoteStreams());
      },
      onClose(error) {
        clearTimeout(timer);
        gone.abort(error);
        reject(error ?? new BerthError("Cancelled", "the client has gone"));
      },
    });
    const remoteStreams = (): RemoteStreams => {
      const errors = streams.get("error")!;
      // the client says nothing there, but its end must be seen
      errors.resume();
      for (const name of ["stdout", "stderr"]) streams.get(name)?.resume();
      return {
        stdin: streams.get("stdin"),
        stdout: streams.get("stdout"),
        stderr: streams.get("stderr"),
        resize: streams.get("resize"),
        gone: gone.signal,
        async finish(outcome) {
          await Promise.all([endStream(streams.get("stdout")), endStream(streams.get("stderr"))]);
          await endStream(errors, encodeOutcome(outcome, version >= 4));
          connection.end();
        },
      };
    };
  });
}
