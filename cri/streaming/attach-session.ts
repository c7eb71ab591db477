import type { Writable } from "node:stream";
import { BerthError, messageOf } from "../../api/errors";
import { connectMonitor } from "../../oci/runtime/monitor-attach";
import { resizeTerminal } from "../../oci/runtime/conmon";
import type { Services } from "../services";
import type { RemoteStreams } from "./remote-streams";
import type { AttachStreamRequest } from "./requests";
import { readTerminalSizes } from "./terminal-sizes";

/** What may wait for a client that reads more slowly than its container prints. */
const backlogBytes = 2 << 20;

/**
 * Puts a client at the streams of a running container's first process, until that ends or the client goes. The monitor
 * writes to us between two lines of the log, so it is read whatever the client does, and one that falls too far behind
 * is told so and dropped: no client may hold up a container's log.
 */
export async function runAttachSession(
  services: Services,
  request: AttachStreamRequest,
  streams: RemoteStreams,
): Promise<{ exitCode: number }> {
  const { store, paths, log } = services;
  const container = store.containers.get(request.containerId);
  if (!container.isRunning) throw new BerthError("FailedPrecondition", `container ${container.id} is not running`);
  const bundle = paths.container(container.id);
  const monitor = connectMonitor(bundle);
  try {
    if (streams.resize) {
      readTerminalSizes(streams.resize, (size) => {
        resizeTerminal(bundle, size).catch((error) => log.debug("no resize", { error: messageOf(error) }));
      });
    }
    if (streams.stdin) {
      // what a container without a stdin is sent has nowhere to go
      if (container.config.stdin) monitor.readInputFrom(streams.stdin);
      else streams.stdin.resume();
    }
    await new Promise<void>((resolve, reject) => {
      const leave = () => reject(new BerthError("Cancelled", "the client has gone"));
      if (streams.gone.aborted) leave();
      streams.gone.addEventListener("abort", leave, { once: true });
      const forward = (sink: Writable | undefined, chunk: Buffer) => {
        if (!sink || sink.destroyed) return;
        sink.write(chunk);
        if (sink.writableLength <= backlogBytes) return;
        reject(new BerthError("ResourceExhausted", `the client is more than ${backlogBytes} bytes behind`));
      };
      monitor.onOutput((stream, chunk) => forward(streams[stream], chunk));
      monitor.ended.then(resolve, reject);
    });
    return { exitCode: 0 };
  } finally {
    monitor.disconnect();
  }
}
