import { randomBytes } from "node:crypto";
import fs from "node:fs";
import type net from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ConsoleSocket } from "../../sys/console-socket";
import { openPipes } from "../../sys/open-pipes";
import { pipeToChild } from "../../sys/pipe-to-child";
import { type Child, killGroup, pipeFromChild, spawnProcess } from "../../sys/spawn";
import { adoptTerminal, openTerminal, type Terminal, type TerminalSize } from "../../sys/terminal";
import { encodeSpec } from "../runtime-spec";
import type { OciRuntime } from "./oci-runtime";
import { runtimeFailure } from "./runtime-failure";
import { runtimeMessage } from "./runtime-message";
import { runtimeEnvironment } from "./runtime-environment";

export interface ExecStreamRequest {
  id: string;
  /** The `process` object of the runtime spec; its `terminal` says which of the two kinds of streams there are. */
  process: { terminal?: boolean };
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** For the files that the runtime reads and writes; removed after. */
  scratchDirectory: string;
}

/** How often a runtime is asked for the terminal that it makes. */
const terminalPollMs = 2;

/** A command that runs in a container, with its streams. */
export interface ExecStream {
  /** Without a terminal at once; with one when the runtime has made it, and empty where it ends without. */
  opened: Promise<OpenedStreams>;
  /** Rejects where the command never came to run: NotFound where there is none of that name. */
  exited: Promise<{ exitCode: number }>;
  /** Does nothing without a terminal. */
  resize(size: TerminalSize): void;
  /** As when a terminal's line is cut: the kernel sends SIGHUP to what runs on it. Does nothing without a terminal. */
  hangUp(): void;
}

export interface OpenedStreams {
  stdin?: net.Socket;
  stdout?: net.Socket;
  stderr?: net.Socket;
}

/** The streams on our side, and what the runtime is given for its own. */
interface Plumbing {
  args: string[];
  fds: Record<number, number>;
  /** Gives up waiting once the runtime has ended. */
  open(runtime: Child): Promise<OpenedStreams>;
  resize(size: TerminalSize, runtime: Child): void;
  hangUp(runtime: Child): void;
  /** Undoes it all, where the runtime can't be started. */
  discard(): void;
}

/**
 * Runs a command in a running container by the runtime's `exec`, without a monitor. With pipes the command has them
 * itself. A terminal is made by the runtime inside the container; crun hands over its controlling side, and runc carries
 * bytes between it and one made here.
 */
export function startExec(runtime: OciRuntime, request: ExecStreamRequest): ExecStream {
  const { options } = runtime;
  const base = path.join(request.scratchDirectory, `exec-${randomBytes(6).toString("hex")}`);
  const files = { process: `${base}.json`, pid: `${base}.pid`, log: `${base}.log` };
  const removeFiles = () => {
    for (const file of Object.values(files)) fs.rmSync(file, { force: true });
  };
  const plumbing = !request.process.terminal
    ? pipes(request)
    : options.features.handsOverTerminal
      ? handedOverTerminal(request, `${base}.sock`)
      : relayedTerminal(request);
  let child: Child;
  try {
    fs.writeFileSync(files.process, encodeSpec(request.process), { mode: 0o600 });
    child = spawnProcess({
      ...runtime.program,
      args: [
        `--root=${options.root}`,
        ...(options.systemdCgroup ? ["--systemd-cgroup"] : []),
        "--log",
        files.log,
        "exec",
        "--process",
        files.process,
        "--pid-file",
        files.pid,
        ...plumbing.args,
        request.id,
      ],
      env: runtimeEnvironment(),
      fds: plumbing.fds,
    });
  } catch (error) {
    plumbing.discard();
    removeFiles();
    throw error;
  } finally {
    for (const fd of new Set(Object.values(plumbing.fds))) fs.closeSync(fd);
  }
  let ended = false;
  const exited = child.exited.then(({ code }) => {
    ended = true;
    try {
      if (code !== 0 && !fs.existsSync(files.pid)) throw failureToRun(files.log);
      return { exitCode: code };
    } finally {
      removeFiles();
    }
  });
  exited.catch(() => {}); // who waits for `opened` first asks later
  return {
    opened: plumbing.open(child),
    exited,
    resize(size) {
      if (!ended) plumbing.resize(size, child);
    },
    hangUp() {
      if (!ended) plumbing.hangUp(child);
    },
  };
}

function pipes({ stdin, stdout, stderr }: ExecStreamRequest): Plumbing {
  const wanted = [stdin && pipeToChild, stdout && pipeFromChild, stderr && pipeFromChild];
  const opened = openPipes(...wanted.filter((open) => open !== false));
  const [input, output, errors] = wanted.map((open) => (open === false ? undefined : opened.shift()));
  const given = Object.entries([input, output, errors]).flatMap(([number, pipe]) =>
    pipe ? [[number, pipe.child]] : [],
  );
  return {
    args: [],
    fds: Object.fromEntries(given),
    open: async () => ({ stdin: input?.stream, stdout: output?.stream, stderr: errors?.stream }),
    resize() {},
    hangUp() {},
    discard() {
      for (const pipe of [input, output, errors]) pipe?.stream.destroy();
    },
  };
}

function relayedTerminal({ stdin }: ExecStreamRequest): Plumbing {
  const { child, stream, resize } = openTerminal();
  return {
    args: [],
    fds: { 0: child, 1: child, 2: child },
    open: async () => ({ stdin: stdin ? stream : undefined, stdout: stream }),
    resize(size, runtime) {
      // what the runtime gives its own terminal at the start, and when it is told later
      resize(size);
      process.kill(runtime.pid, "SIGWINCH");
    },
    hangUp(runtime) {
      stream.destroy();
      // with the runtime goes the terminal inside, and only that makes the kernel tell the command
      killGroup(runtime.pid);
    },
    discard: () => stream.destroy(),
  };
}

function handedOverTerminal({ stdin }: ExecStreamRequest, socketFile: string): Plumbing {
  const socket = new ConsoleSocket(socketFile);
  let terminal: Terminal | undefined;
  let size: TerminalSize | undefined;
  return {
    args: ["--console-socket", socketFile],
    fds: {},
    async open(runtime) {
      try {
        terminal = await awaitTerminal(socket, runtime);
      } finally {
        socket.close();
      }
      if (!terminal) return {};
      if (size) terminal.resize(size);
      return { stdin: stdin ? terminal.stream : undefined, stdout: terminal.stream };
    },
    resize(wanted) {
      size = wanted;
      terminal?.resize(wanted);
    },
    hangUp(runtime) {
      if (terminal) terminal.stream.destroy();
      else killGroup(runtime.pid);
    },
    discard: () => socket.close(),
  };
}

/** Undefined where the runtime ends without having made a terminal. */
async function awaitTerminal(socket: ConsoleSocket, runtime: Child): Promise<Terminal | undefined> {
  let ended = false;
  runtime.exited.then(() => {
    ended = true;
  });
  for (;;) {
    // what came before its end is found after it
    const last = ended;
    const fd = socket.take();
    if (fd !== undefined) return adoptTerminal(fd);
    if (last) return undefined;
    await sleep(terminalPollMs);
  }
}

function failureToRun(logFile: string): Error {
  const said = runtimeMessage(fs.existsSync(logFile) ? fs.readFileSync(logFile, "utf8").slice(-8192) : "");
  return runtimeFailure("exec failed", said);
}
