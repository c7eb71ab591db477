import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** A foreign program to be run once. */
export interface ProcessRequest {
  /** An absolute path. */
  file: string;
  env: Record<string, string>;
  /** Written to its stdin, which is then closed. */
  input: string;
  timeoutMs: number;
  /** What is kept of each of stdout and stderr. */
  limitBytes: number;
}

export interface ProcessOutcome {
  /** Null after death by a signal. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  timedOut: boolean;
  /** stdout went over its limit, for which the program was killed. */
  flooded: boolean;
}

export type RunProcess = (request: ProcessRequest) => Promise<ProcessOutcome>;

// How long a program that is gone, or was killed, may keep its pipes open through children of its own.
const pipeGraceMs = 500;
const busyRetries = 10;
const busyDelayMs = 100;

/**
 * Runs a program in a process group of its own and ends the whole group at the time limit, so that nothing that it
 * started lives on; settles even where a process cannot die. A binary that is just being replaced (ETXTBSY) is tried
 * again for a second. Rejects with the system's error where the program cannot be started.
 */
export async function runBounded(request: ProcessRequest): Promise<ProcessOutcome> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await runOnce(request);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ETXTBSY" || attempt === busyRetries) throw error;
      await sleep(busyDelayMs);
    }
  }
}

function runOnce({ file, env, input, timeoutMs, limitBytes }: ProcessRequest): Promise<ProcessOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [], { env, cwd: "/", detached: true, stdio: "pipe" });
    let timer: NodeJS.Timeout | undefined;
    child.once("error", (error) => {
      if (child.pid !== undefined) return;
      clearTimeout(timer);
      reject(error);
    });
    // Out of file descriptors there are no pipes: the error event follows.
    if (!child.stdout) return;
    const stdout = collect(child.stdout, limitBytes, () => end("flooded"));
    const stderr = collect(child.stderr, limitBytes, () => {});
    let why: "timedOut" | "flooded" | undefined;
    let grace: NodeJS.Timeout | undefined;
    timer = setTimeout(() => end("timedOut"), timeoutMs);

    function end(reason: "timedOut" | "flooded") {
      why ??= reason;
      killGroup(child);
      grace ??= setTimeout(lastLook, pipeGraceMs);
    }
    // Where this process was busy for all of the grace, what is in the pipes has not been read yet: it comes between a
    // timer and an immediate.
    function lastLook() {
      setImmediate(settle);
    }
    function settle() {
      clearTimeout(timer);
      clearTimeout(grace);
      for (const stream of child.stdio) stream?.destroy();
      // A process in an uninterruptible sleep must not keep the daemon from ending.
      child.unref();
      resolve({
        exitCode: child.exitCode,
        signal: child.signalCode,
        stdout: stdout(),
        stderr: stderr(),
        timedOut: why === "timedOut",
        flooded: why === "flooded",
      });
    }
    child.once("exit", () => {
      clearTimeout(timer);
      grace ??= setTimeout(lastLook, pipeGraceMs);
    });
    child.once("close", settle);
    // A program may end without reading its input: the broken pipe is no failure of its own.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

// Only while the leader has not been reaped, so that the number is still its own.
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}

// Keeps the first `limitBytes` and goes on reading, so that the writer never blocks.
function collect(stream: Readable, limitBytes: number, onFlood: () => void): () => string {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on("data", (chunk: Buffer) => {
    if (length < limitBytes) chunks.push(chunk.subarray(0, limitBytes - length));
    length += chunk.length;
    if (length > limitBytes) onFlood();
  });
  stream.on("error", () => {});
  return () => Buffer.concat(chunks).toString("utf8");
}
