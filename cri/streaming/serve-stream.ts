import type { Duplex } from "node:stream";
import { createWebSocketStream } from "ws";
import { messageOf } from "../../api/errors";
import type { Services } from "../services";
import { runAttachSession } from "./attach-session";
import { runExecSession } from "./exec-session";
import { refuseUpgrade } from "./http-refusal";
import type { Outcome } from "./outcome";
import { runPortChannels } from "./port-channels";
import { dialPod } from "./port-dialer";
import { portForwardProtocol, runPortForwardSession } from "./port-forward-session";
import type { RemoteStreams } from "./remote-streams";
import type {
  AttachStreamRequest,
  ExecStreamRequest,
  PortForwardStreamRequest,
  RemoteCommandFlags,
  StreamRequest,
} from "./requests";
import type { ServeStream } from "./server";
import { openSpdySession, spdyCommandProtocols } from "./spdy-session";
import { chooseProtocol, offeredStreamProtocols, spdyAccepted } from "./spdy-upgrade";
import { acceptWebSocket, offeredProtocols, type UpgradeRequest } from "./websocket/accept";
import { channelProtocols } from "./websocket/channel-protocols";
import { openWebSocketSession } from "./websocket-session";

/** SPDY inside a WebSocket: what client-go calls it, and the name that it was first proposed under (KEP-4006). */
const tunnelProtocols = [`SPDY/3.1+${portForwardProtocol}`, "v2.portforward.k8s.io"];

/** How long a client may take to receive why it failed. */
const failureGraceMs = 10_000;

/** Serves what a token stood for over whichever protocol the client has come with. */
export function streamServer(services: Services, streamCreationTimeoutMs: number): ServeStream {
  return (request, upgrade) => {
    const wanted = upgrade.request.headers.upgrade?.toLowerCase();
    const serve = wanted === "websocket" ? overWebSocket : wanted === "spdy/3.1" ? overSpdy : refuseOther;
    serve({ services, request, upgrade, streamCreationTimeoutMs }).catch((error) => {
      services.log.debug("a stream ended with an error", { kind: request.kind, error: messageOf(error) });
      upgrade.socket.destroy();
    });
  };
}

interface Incoming<R = StreamRequest> {
  services: Services;
  request: R;
  upgrade: UpgradeRequest;
  streamCreationTimeoutMs: number;
}

async function refuseOther({ upgrade }: Incoming): Promise<void> {
  refuseUpgrade(upgrade.socket, { status: 400, message: "upgrade to SPDY/3.1 or websocket\n" });
}

async function overSpdy(incoming: Incoming): Promise<void> {
  const { request, upgrade, streamCreationTimeoutMs } = incoming;
  const ours = request.kind === "portforward" ? [portForwardProtocol] : spdyCommandProtocols;
  const protocol = chooseProtocol(offeredStreamProtocols(upgrade.request), ours, ours.at(-1)!);
  if (protocol === undefined) {
    const headers = { "X-Accepted-Stream-Protocol-Versions": ours.join(", ") };
    refuseUpgrade(upgrade.socket, { status: 403, message: "no subprotocol in common\n", headers });
    return;
  }
  const transport = upgrade.socket;
  if (upgrade.head.length > 0) transport.unshift(upgrade.head);
  transport.write(spdyAccepted(protocol));
  if (request.kind === "portforward") await forwardPorts(incoming as Incoming<PortForwardStreamRequest>, transport);
  else {
    const flags: RemoteCommandFlags = request;
    await runCommand(
      { ...incoming, request },
      await openSpdySession({ transport, protocol, flags, streamCreationTimeoutMs }),
    );
  }
}

async function overWebSocket(incoming: Incoming): Promise<void> {
  const { services, request, upgrade } = incoming;
  const offered = offeredProtocols(upgrade.request);
  if (request.kind === "portforward" && offered.some((name) => tunnelProtocols.includes(name))) {
    const socket = await acceptWebSocket(upgrade, offered.find((name) => tunnelProtocols.includes(name))!);
    await forwardPorts(incoming as Incoming<PortForwardStreamRequest>, createWebSocketStream(socket));
    return;
  }
  const ours = channelProtocols.filter(({ closeSignal }) => request.kind !== "portforward" || !closeSignal);
  const name = chooseProtocol(
    offered,
    ours.map((each) => each.name),
    "",
  );
  if (name === undefined) {
    refuseUpgrade(upgrade.socket, { status: 403, message: "no subprotocol in common\n" });
    return;
  }
  const protocol = ours.find((each) => each.name === name)!;
  const socket = await acceptWebSocket(upgrade, name);
  if (request.kind === "portforward") {
    await runPortChannels(socket, { protocol, ports: request.ports }, (port) =>
      dialPod(services, request.sandboxId, port),
    );
  } else await runCommand({ ...incoming, request }, openWebSocketSession(socket, protocol, request));
}

const forwardPorts = (
  { services, request, streamCreationTimeoutMs }: Incoming<PortForwardStreamRequest>,
  transport: Duplex,
) =>
  runPortForwardSession({
    transport,
    streamCreationTimeoutMs,
    dial: (port) => dialPod(services, request.sandboxId, port),
  });

async function runCommand(
  { services, request, upgrade: { socket } }: Incoming<ExecStreamRequest | AttachStreamRequest>,
  streams: RemoteStreams,
): Promise<void> {
  let outcome: Outcome;
  try {
    outcome =
      request.kind === "exec"
        ? await runExecSession(services, request, streams)
        : await runAttachSession(services, request, streams);
  } catch (error) {
    outcome = { error };
  }
  if (streams.gone.aborted) return;
  // a client that does not take even the reason is not waited for
  const timer = "error" in outcome ? setTimeout(() => socket.destroy(), failureGraceMs) : undefined;
  try {
    await streams.finish(outcome);
  } finally {
    clearTimeout(timer);
  }
}
