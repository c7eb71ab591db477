import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BerthError, type ErrorCode } from "../../api/errors";
import { faultPoint } from "../../sys/fault-points";
import { openPipes } from "../../sys/open-pipes";
import { SealedProgram } from "../../sys/sealed-program";
import { type Child, killGroup, pipeFromChild, type RunResult, runProcess, spawnProcess } from "../../sys/spawn";
import { descendantsOf } from "../../sys/process-identity";
import { encodeSpec } from "../runtime-spec";
import { createUnderMonitor } from "./conmon";
import type { RuntimeFeatures } from "./features";
import { runtimeFailure } from "./runtime-failure";
import { runtimeMessage } from "./runtime-message";
import { runtimeEnvironment } from "./runtime-environment";
import { awaitStart, endWorkersOn } from "./workers";

export interface RuntimeOptions {
  /** The runtime handler's name. */
  name: string;
  /** The binary, absolute. */
  path: string;
  /** The directory that the runtime keeps its own state in. */
  root: string;
  features: RuntimeFeatures;
  conmon: string;
  exitDirectory: string;
  systemdCgroup: boolean;
  logSizeMaxBytes: number;
  timeoutMs: number;
}

export interface CreateRequest {
  id: string;
  bundle: string;
  logPath: string | undefined;
  terminal: boolean;
  stdin: boolean;
  /** Close it when the first client that was attached to it goes. */
  stdinOnce?: boolean;
}

export interface ExecRequest {
  id: string;
  /** The `process` object of the runtime spec. */
  process: object;
  /** 0 for no limit. */
  timeoutMs: number;
  /** The most bytes of stdout and stderr together. */
  limitBytes: number;
  /** Ends the command when it aborts. */
  signal?: AbortSignal;
  /** For the files that the runtime reads and writes; removed after. */
  scratchDirectory: string;
}

export interface ExecResult {
  stdout: Buffer;
  stderr: Buffer;
  exitCode: number;
}

/** 25 days (Node.js, timers). */
const longestTimerMs = 2 ** 31 - 1;

/** How long a runtime may take to see the end of a command that was killed. */
const reapPatienceMs = 2000;

/** Drives one OCI runtime (runtime spec, runtime.md#operations), crun or runc, through its command line. */
export class OciRuntime {
  private readonly sealed: SealedProgram;

  constructor(readonly options: RuntimeOptions) {
    this.sealed = new SealedProgram(options.path);
  }

  get name(): string {
    return this.options.name;
  }

  get features(): RuntimeFeatures {
    return this.options.features;
  }

  /** What to start for a call of the runtime. */
  get program(): { file: string; name: string } {
    return { file: this.sealed.path(), name: path.basename(this.options.path) };
  }

  private get globalArgs(): string[] {
    return [`--root=${this.options.root}`, ...(this.options.systemdCgroup ? ["--systemd-cgroup"] : [])];
  }

  /** Makes a container under a monitor of its own; it does not run yet. Gives the number of its first process. */
  async create(request: CreateRequest): Promise<{ pid: number }> {
    const { options } = this;
    return createUnderMonitor({
      ...request,
      conmon: options.conmon,
      // its warnings would else be the first lines of the container's log
      runtime: {
        path: this.program.file,
        args: [`--root=${options.root}`, `--log=${path.join(request.bundle, "runtime.log")}`],
      },
      exitDirectory: options.exitDirectory,
      systemdCgroup: options.systemdCgroup,
      logSizeMaxBytes: options.logSizeMaxBytes,
      timeoutMs: options.timeoutMs,
    });
  }

  /** Makes a container and lets it run with no monitor: for what needs no log and no exit code. Gives its process. */
  async runDetached(id: string, bundle: string): Promise<number> {
    const pidFile = path.join(bundle, "pid");
    const log = path.join(bundle, "log");
    // a detached container keeps the runtime's own streams, so what that says goes to a file
    const { exited } = spawnProcess({
      ...this.program,
      args: [...this.globalArgs, "--log", log, "run", "--detach", "--bundle", bundle, "--pid-file", pidFile, id],
      env: runtimeEnvironment(),
    });
    await faultPoint("RunPodSandbox.holder-started");
    const { code } = await this.withinTime("run", exited);
    if (code !== 0) {
      const said = fs.existsSync(log) ? fs.readFileSync(log, "utf8") : "";
      throw this.failure("run", { code, stdout: "", stderr: said });
    }
    return Number(fs.readFileSync(pidFile, "utf8"));
  }

  /** Lets a made container run. The call is ended when `signal` aborts, and its reason thrown. */
  async start(id: string, signal?: AbortSignal): Promise<void> {
    await this.call("start", ["start", id], signal);
  }

  /** Removes a container from the runtime, by force, its cgroup included. Succeeds where there is none. */
  async delete(id: string): Promise<void> {
    const result = await this.run(["delete", "--force", id]);
    if (result.code !== 0 && !isUnknown(result.stderr)) throw this.failure("delete", result);
  }

  /** The same for one that is not whole, and may still be in the making: whoever makes it is ended first. */
  async discard(id: string): Promise<void> {
    await endWorkersOn(this.options.root, id);
    await this.delete(id);
    // a runtime that was killed may have made no more than its directory, and then does not know it
    fs.rmSync(path.join(this.options.root, id), { recursive: true, force: true });
  }

  /** The same for one whose processes have ended: by force, runc from 1.2 on takes 100 ms more. */
  async deleteEnded(id: string): Promise<void> {
    const result = await this.run(["delete", id]);
    if (result.code !== 0 && !isUnknown(result.stderr)) await this.delete(id);
  }

  /** Changes limits in place; `resources` is the runtime spec's `linux.resources`. */
  async update(id: string, resources: object, scratchDirectory: string): Promise<void> {
    const file = path.join(scratchDirectory, `update-${randomBytes(6).toString("hex")}.json`);
    try {
      fs.writeFileSync(file, encodeSpec(resources), { mode: 0o600 });
      await this.call("update", ["update", "--resources", file, id]);
    } finally {
      fs.rmSync(file, { force: true });
    }
  }

  /**
   * Whether a container's own program has been started, though whoever asked for it may not have seen it through: a call
   * that goes on without its caller is waited for.
   */
  async wasStarted(id: string): Promise<boolean> {
    await awaitStart(this.options.root, id, this.options.timeoutMs);
    const result = await this.run(["state", id]);
    if (result.code !== 0) return false;
    const { status } = JSON.parse(result.stdout) as { status?: string };
    return status !== "created" && status !== "creating";
  }

  /** Whether the runtime has something of a container in its directory. */
  async has(id: string): Promise<boolean> {
    const names = await fs.promises.readdir(this.options.root).catch(() => []);
    return names.some((name) => name.startsWith(id));
  }

  /** The IDs of the containers that the runtime knows. */
  async list(): Promise<string[]> {
    try {
      return (await fs.promises.readdir(this.options.root)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    } catch {
      return [];
    }
  }

  /**
   * Runs a command in a running container to its end. DeadlineExceeded past the time limit and ResourceExhausted past
   * the output limit, Cancelled by the signal, the command's process group killed each time; NotFound where there is no
   * such command.
   */
  async exec(request: ExecRequest): Promise<ExecResult> {
    const tag = randomBytes(6).toString("hex");
    const processFile = path.join(request.scratchDirectory, `exec-${tag}.json`);
    const pidFile = path.join(request.scratchDirectory, `exec-${tag}.pid`);
    const [out, err] = openPipes(pipeFromChild, pipeFromChild);
    let child: Child;
    try {
      fs.writeFileSync(processFile, encodeSpec(request.process), { mode: 0o600 });
      child = spawnProcess({
        ...this.program,
        args: [...this.globalArgs, "exec", "--process", processFile, "--pid-file", pidFile, request.id],
        env: runtimeEnvironment(),
        fds: { 1: out.child, 2: err.child },
      });
    } catch (error) {
      out.stream.destroy();
      err.stream.destroy();
      fs.rmSync(processFile, { force: true });
      throw error;
    } finally {
      fs.closeSync(out.child);
      fs.closeSync(err.child);
    }
    let stopped: BerthError | undefined;
    const stop = (code: ErrorCode, message: string) => {
      if (stopped) return;
      stopped = new BerthError(code, message);
      killExec(child, pidFile);
      // a process that has left the group may hold the pipes for ever
      out.stream.destroy();
      err.stream.destroy();
    };
    const timer =
      request.timeoutMs > 0
        ? setTimeout(
            () => stop("DeadlineExceeded", `command timed out after ${request.timeoutMs / 1000} s`),
            // one that is longer than timers can be would be over at once
            Math.min(request.timeoutMs, longestTimerMs),
          )
        : undefined;
    const onAbort = () => stop("Cancelled", "the client did not wait for the command's end");
    request.signal?.addEventListener("abort", onAbort, { once: true });
    if (request.signal?.aborted) onAbort();
    try {
      let left = request.limitBytes;
      const collect = (stream: NodeJS.ReadableStream & { destroy(): void }) => {
        const chunks: Buffer[] = [];
        stream.on("data", (chunk: Buffer) => {
          left -= chunk.length;
          if (left < 0)
            stop("ResourceExhausted", `the command printed more than ${request.limitBytes} bytes and was killed`);
          else chunks.push(chunk);
        });
        stream.on("error", () => {});
        return new Promise<Buffer>((resolve) => stream.on("close", () => resolve(Buffer.concat(chunks))));
      };
      const [stdout, stderr, exit] = await Promise.all([collect(out.stream), collect(err.stream), child.exited]);
      if (stopped) throw stopped;
      // without a pid file the runtime itself has failed: what it says is no output of the command
      if (exit.code !== 0 && !fs.existsSync(pidFile)) {
        throw runtimeFailure("exec failed", runtimeMessage(stderr.toString("utf8")));
      }
      return { stdout, stderr, exitCode: exit.code };
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener("abort", onAbort);
      fs.rmSync(processFile, { force: true });
      fs.rmSync(pidFile, { force: true });
    }
  }

  private run(args: string[], signal?: AbortSignal): Promise<RunResult> {
    return runProcess({
      ...this.program,
      signal,
      args: [...this.globalArgs, ...args],
      env: runtimeEnvironment(),
      timeoutMs: this.options.timeoutMs,
    });
  }

  private async withinTime<T>(what: string, work: Promise<T>): Promise<T> {
    const { name, timeoutMs } = this.options;
    const ended = new AbortController();
    const late = sleep(timeoutMs, undefined, { signal: ended.signal }).then(() => {
      throw new BerthError("DeadlineExceeded", `${name} ${what} did not end within ${timeoutMs / 1000} s`);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      ended.abort();
      late.catch(() => {});
    }
  }

  private async call(what: string, args: string[], signal?: AbortSignal): Promise<void> {
    const result = await this.run(args, signal);
    if (result.code !== 0) throw this.failure(what, result);
  }

  private failure(what: string, result: RunResult): BerthError {
    const said = runtimeMessage(result.stderr || result.stdout);
    const { code, message } = runtimeFailure(`${this.options.name} ${what} failed`, said || `exit code ${result.code}`);
    // what is missing is then the runtime's own record of the container, not something that the caller has named
    return new BerthError(code === "NotFound" ? "Internal" : code, message);
  }
}

const isUnknown = (stderr: string) => /does not exist|No such file or directory|not found/i.test(stderr);

/**
 * Ends a command with its process group and all its descendants. The runtime that waits for it must live on to reap it,
 * or a zombie is left to the container's own init; it is killed too where there is no command yet or it does not end.
 */
function killExec(runtime: Child, pidFile: string): void {
  const kill = (pid: number) => {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // gone
    }
  };
  let pid = 0;
  try {
    pid = Number(fs.readFileSync(pidFile, "utf8"));
  } catch {
    // it never came to run
  }
  if (pid <= 1) {
    killGroup(runtime.pid);
    return;
  }
  for (const each of [-pid, pid, ...descendantsOf(pid)]) kill(each);
  const timer = setTimeout(() => killGroup(runtime.pid), reapPatienceMs);
  runtime.exited.finally(() => clearTimeout(timer));
}
