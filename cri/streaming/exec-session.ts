import type net from "node:net";
import { pipeline, type Writable } from "node:stream";
import { type OpenedStreams, startExec } from "../../oci/runtime/exec-stream";
import { execProcess } from "../container/exec-process";
import type { Services } from "../services";
import type { RemoteStreams } from "./remote-streams";
import type { ExecStreamRequest } from "./requests";
import { readTerminalSizes } from "./terminal-sizes";

/** How long the pipes of a command that has ended may be silent: what it left running in the background holds them. */
const silenceMs = 2000;

/**
 * Runs a command with its streams at the client's. Where the client goes, the command is not killed, as with
 * containerd: its stdin ends, what it prints fails with EPIPE, and one on a terminal is hung up on (SIGHUP).
 */
export async function runExecSession(
  services: Services,
  request: ExecStreamRequest,
  streams: RemoteStreams,
): Promise<{ exitCode: number }> {
  const container = services.store.containers.get(request.containerId);
  const { stdin, stdout, stderr, tty } = request;
  const exec = startExec(services.runtimes.get(container.record.handler), {
    id: container.id,
    process: execProcess(services, container, { args: request.command, terminal: tty }),
    stdin,
    stdout,
    stderr,
    scratchDirectory: services.paths.container(container.id),
  });
  let opened: OpenedStreams = {};
  const letGo = () => {
    exec.hangUp();
    for (const stream of Object.values(opened)) stream?.destroy();
  };
  if (streams.gone.aborted) letGo();
  streams.gone.addEventListener("abort", letGo, { once: true });
  if (streams.resize) readTerminalSizes(streams.resize, (size) => exec.resize(size));
  try {
    opened = await exec.opened;
    if (streams.gone.aborted) letGo();
    carryInput(opened, streams);
    const outputs = [carryOutput(opened.stdout, streams.stdout), carryOutput(opened.stderr, streams.stderr)];
    const exit = await exec.exited;
    for (const output of outputs) output.commandHasEnded();
    await Promise.all(outputs.map(({ done }) => done));
    return exit;
  } finally {
    letGo();
    streams.gone.removeEventListener("abort", letGo);
  }
}

function carryInput(exec: OpenedStreams, streams: RemoteStreams): void {
  if (!streams.stdin || !exec.stdin) return;
  if (exec.stdin !== exec.stdout) {
    // a command that reads no more must not fail the session
    pipeline(streams.stdin, exec.stdin, () => streams.stdin?.resume());
    return;
  }
  // one stream for both directions: the client's end of input must not end the terminal
  streams.stdin.pipe(exec.stdin, { end: false });
}

/** Carries output until its end; the promise never rejects, since a client that goes is seen elsewhere. */
function carryOutput(
  source: net.Socket | undefined,
  sink: Writable | undefined,
): { done: Promise<void>; commandHasEnded(): void } {
  if (!source || !sink) return { done: Promise.resolve(), commandHasEnded() {} };
  let timer: NodeJS.Timeout | undefined;
  const done = new Promise<void>((resolve) => {
    // EIO is how a terminal ends
    source.on("error", () => {});
    source.once("close", () => {
      clearInterval(timer);
      resolve();
    });
    source.once("end", () => resolve());
    sink.once("close", () => source.destroy());
    source.pipe(sink, { end: false });
  });
  return {
    done,
    commandHasEnded() {
      let before = source.bytesRead;
      let silentMs = 0;
      timer = setInterval(() => {
        const moved = source.bytesRead !== before || sink.writableNeedDrain;
        before = source.bytesRead;
        silentMs = moved ? 0 : silentMs + 500;
        if (silentMs >= silenceMs) source.destroy();
      }, 500);
      if (source.destroyed || source.readableEnded) clearInterval(timer);
    },
  };
}
