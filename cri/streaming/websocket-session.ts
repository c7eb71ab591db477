import type { WebSocket } from "ws";
import { endStream } from "./end-stream";
import { encodeOutcome } from "./outcome";
import type { RemoteStreams } from "./remote-streams";
import type { RemoteCommandFlags } from "./requests";
import type { ChannelProtocol } from "./websocket/channel-protocols";
import { Channels } from "./websocket/channels";

/** The channels of exec and attach (apimachinery pkg/util/remotecommand, constants.go). */
const numbers = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

/** Exec and attach over WebSocket channels, which need no opening. */
export function openWebSocketSession(
  socket: WebSocket,
  protocol: ChannelProtocol,
  flags: RemoteCommandFlags,
): RemoteStreams {
  const channels = new Channels(socket, protocol);
  const stdout = flags.stdout ? channels.writer(numbers.stdout) : undefined;
  const stderr = flags.stderr ? channels.writer(numbers.stderr) : undefined;
  const errors = channels.writer(numbers.error);
  channels.greet(flags.stdout ? numbers.stdout : flags.stderr ? numbers.stderr : numbers.error);
  return {
    stdin: flags.stdin ? channels.reader(numbers.stdin) : undefined,
    stdout,
    stderr,
    resize: flags.tty ? channels.reader(numbers.resize) : undefined,
    gone: channels.gone,
    async finish(outcome) {
      await Promise.all([endStream(stdout), endStream(stderr)]);
      await endStream(errors, encodeOutcome(outcome, protocol.structuredStatus));
      channels.close();
    },
  };
}
