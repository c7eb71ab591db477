import { randomBytes } from "node:crypto";
import fs from "node:fs";
import type net from "node:net";
import path from "node:path";
import { BerthError } from "../../api/errors";
import { pipeToChild } from "../../sys/pipe-to-child";
import { type Child, killGroup, pipeFromChild, spawnProcess } from "../../sys/spawn";
import { resizeHeldTerminal } from "../../sys/held-terminal";
import { openTerminal, type TerminalSize } from "../../sys/terminal";
import { encodeSpec } from "../runtime-spec";
import type { OciRuntime } from "./oci-runtime";
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

/** How often, and for how long, a terminal is looked for that the runtime has yet to make. */
const resizeRetryMs = 25;
const resizeTries = 400;

export interface ExecExit {
  exitCode: number;
  /** To be asked once stdout has closed: what was printed on a terminal and did not come over it. */
  late(): Buffer;
}

/** A command that runs in a container, with its streams. */
export interface ExecStream {
  stdin: net.Socket | undefined;
  stdout: net.Socket | undefined;
  stderr: net.Socket | undefined;
  /** Rejects where the command never came to run: NotFound where there is none of that name. */
  exited: Promise<ExecExit>;
  /** Does nothing without a terminal. */
  resize(size: TerminalSize): void;
  /** As when a terminal's line is cut: the kernel sends SIGHUP to what runs on it. Does nothing without a terminal. */
  hangUp(): void;
}

/**
 * Runs a command in a running container by the runtime's `exec`, without a monitor. With pipes the command has them
 * itself. With a terminal the runtime carries bytes between the one it makes inside and one made here, as it would
 * for a person at a shell. (`--console-socket` would spare the copying, but runc takes it only with --detach, which
 * loses the exit code.)
 */
export function startExec(runtime: OciRuntime, request: ExecStreamRequest): ExecStream {
  const { options } = runtime;
  const base = path.join(request.scratchDirectory, `exec-${randomBytes(6).toString("hex")}`);
  const files = { process: `${base}.json`, pid: `${base}.pid`, log: `${base}.log` };
  const removeFiles = () => {
    for (const file of Object.values(files)) fs.rmSync(file, { force: true });
  };
  const streams = request.process.terminal ? openTerminalStreams(request) : openPipes(request);
  let child: Child;
  try {
    fs.writeFileSync(files.process, encodeSpec(request.process), { mode: 0o600 });
    child = spawnProcess({
      file: options.path,
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
        request.id,
      ],
      env: runtimeEnvironment(),
      fds: streams.fds,
    });
  } catch (error) {
    for (const stream of [streams.stdin, streams.stdout, streams.stderr]) stream?.destroy();
    removeFiles();
    throw error;
  } finally {
    for (const fd of new Set(Object.values(streams.fds))) fs.closeSync(fd);
  }
  let ended = false;
  let wanted: TerminalSize | undefined;
  let tries = 0;
  // crun hands on no later size, and before it has made its terminal there is nothing to set
  const applySize = () => {
    if (ended || !wanted) return;
    try {
      if (!resizeHeldTerminal(child.pid, wanted) && tries++ < resizeTries) setTimeout(applySize, resizeRetryMs);
    } catch {
      // where we may not borrow from it (PTRACE_MODE_ATTACH, ptrace(2)): runc and newer crun look for themselves
      process.kill(child.pid, "SIGWINCH");
    }
  };
  const exited = child.exited.then(({ code }) => {
    ended = true;
    try {
      if (code !== 0 && !fs.existsSync(files.pid)) throw failureToRun(files.log);
      const logged = streams.terminal ? outputInLog(files.log) : Buffer.alloc(0);
      return { exitCode: code, late: () => (streams.stdout?.bytesRead === 0 ? logged : Buffer.alloc(0)) };
    } finally {
      removeFiles();
    }
  });
  return {
    stdin: streams.stdin,
    stdout: streams.stdout,
    stderr: streams.stderr,
    exited,
    resize(size) {
      if (!streams.terminal || ended) return;
      // what the runtime gives its own terminal at the start
      streams.terminal.resize(size);
      wanted = size;
      applySize();
    },
    hangUp() {
      if (!streams.terminal || ended) return;
      streams.terminal.stream.destroy();
      // with the runtime goes the terminal inside, and only that makes the kernel tell the command
      killGroup(child.pid);
    },
  };
}

interface OpenStreams {
  stdin?: net.Socket;
  stdout?: net.Socket;
  stderr?: net.Socket;
  terminal?: ReturnType<typeof openTerminal>;
  fds: Record<number, number>;
}

function openPipes({ stdin, stdout, stderr }: ExecStreamRequest): OpenStreams {
  const pipes = {
    0: stdin ? pipeToChild() : undefined,
    1: stdout ? pipeFromChild() : undefined,
    2: stderr ? pipeFromChild() : undefined,
  };
  const fds = Object.fromEntries(
    Object.entries(pipes).flatMap(([number, pipe]) => (pipe ? [[number, pipe.child]] : [])),
  );
  return { stdin: pipes[0]?.stream, stdout: pipes[1]?.stream, stderr: pipes[2]?.stream, fds };
}

function openTerminalStreams({ stdin }: ExecStreamRequest): OpenStreams {
  const terminal = openTerminal();
  const { child, stream } = terminal;
  return { stdin: stdin ? stream : undefined, stdout: stream, terminal, fds: { 0: child, 1: child, 2: child } };
}

/**
 * crun writes to its log what a command has printed on a terminal that ended before crun was ready to carry: in pieces
 * of at most 255 bytes, a newline behind each.
 */
function outputInLog(logFile: string): Buffer {
  const log = fs.existsSync(logFile) ? fs.readFileSync(logFile) : Buffer.alloc(0);
  const pieces: Buffer[] = [];
  for (let start = 0; start < log.length; start += 256)
    pieces.push(log.subarray(start, Math.min(start + 256, log.length) - 1));
  return Buffer.concat(pieces);
}

function failureToRun(logFile: string): BerthError {
  const said = runtimeMessage(fs.existsSync(logFile) ? fs.readFileSync(logFile, "utf8").slice(-8192) : "");
  const code = /executable file|no such file/i.test(said) ? "NotFound" : "Internal";
  return new BerthError(code, `exec failed: ${said || "the runtime gave no reason"}`);
}
