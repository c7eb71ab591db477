import fs from "node:fs";
import path from "node:path";
import { BerthError } from "../../api/errors";
import { faultPoint } from "../../sys/fault-points";
import { errnoOf } from "../../sys/libc";
import { openPipes } from "../../sys/open-pipes";
import { pipeFromChild, readAll, spawnProcess } from "../../sys/spawn";
import { runtimeFailure } from "./runtime-failure";
import { runtimeMessage } from "./runtime-message";
import { runtimeEnvironment } from "./runtime-environment";

export interface MonitorRequest {
  /** conmon's own binary. */
  conmon: string;
  id: string;
  /** Holds config.json; the monitor's files (pid, conmon.pid, ctl, attach, oom) come here too. */
  bundle: string;
  runtime: { path: string; args: string[] };
  /** Absolute, or undefined for no log. */
  logPath: string | undefined;
  /** -1 for no limit; conmon truncates the log there. */
  logSizeMaxBytes: number;
  /** Where the exit code is left under the container's ID. */
  exitDirectory: string;
  terminal: boolean;
  /** Keep a stdin open. */
  stdin: boolean;
  /** Close it when the first client that was attached to it goes, instead of keeping it for the next. */
  stdinOnce?: boolean;
  systemdCgroup: boolean;
  timeoutMs: number;
}

/**
 * Starts a monitor, which makes the container by `runtime create` and stays as its parent (conmon(8)). Returns once
 * the container is made, with the number of its first process, and the monitor's own is in its file. The container's own
 * complaint is the error's message.
 */
export async function createUnderMonitor(request: MonitorRequest): Promise<{ pid: number }> {
  const { bundle, id } = request;
  const args = [
    "--api-version",
    "1",
    "-b",
    bundle,
    "-c",
    id,
    "-u",
    id,
    "-n",
    id,
    "-r",
    request.runtime.path,
    ...request.runtime.args.flatMap((arg) => ["--runtime-arg", arg]),
    "-p",
    path.join(bundle, "pid"),
    "-P",
    path.join(bundle, "conmon.pid"),
    "-l",
    request.logPath ? `k8s-file:${request.logPath}` : "none",
    "--exit-dir",
    request.exitDirectory,
    "--persist-dir",
    bundle,
    "--socket-dir-path",
    bundle,
    "--full-attach",
    "--no-sync-log",
    "--log-level",
    "warn",
    ...(request.logSizeMaxBytes > 0 ? ["--log-size-max", String(request.logSizeMaxBytes)] : []),
    ...(request.terminal ? ["-t"] : []),
    ...(request.stdin ? ["-i"] : []),
    ...(request.stdin && !request.stdinOnce ? ["--leave-stdin-open"] : []),
    ...(request.systemdCgroup ? ["-s"] : []),
  ]; // prettier-ignore
  const [sync, complaint] = openPipes(pipeFromChild, pipeFromChild);
  let monitor: ReturnType<typeof spawnProcess>;
  try {
    monitor = spawnProcess({
      file: request.conmon,
      args,
      cwd: bundle,
      env: { ...runtimeEnvironment(), _OCI_SYNCPIPE: "3" },
      fds: { 2: complaint.child, 3: sync.child },
    });
  } catch (error) {
    sync.stream.destroy();
    complaint.stream.destroy();
    throw error;
  } finally {
    fs.closeSync(sync.child);
    fs.closeSync(complaint.child);
  }
  const stderr = readAll(complaint.stream, 64 << 10);
  monitor.exited.catch(() => {});
  try {
    await faultPoint("CreateContainer.monitor-started");
    const line = await readLine(sync.stream, request.timeoutMs);
    if (line === undefined) {
      const said = (await stderr).trim().slice(-2000);
      throw new BerthError(
        "Internal",
        `the container monitor ended before the container was made${said ? `: ${said}` : ""}`,
      );
    }
    const answer = JSON.parse(line) as { data: number; message?: string };
    if (answer.data <= 0) throw runtimeFailure("create failed", runtimeMessage(answer.message ?? ""));
    // its first process forks the monitor, writes down that one's number and ends: at times after the answer
    await monitor.exited;
    return { pid: answer.data };
  } finally {
    sync.stream.destroy();
    complaint.stream.destroy();
  }
}

/** The first line, undefined where the stream ends before one. */
function readLine(stream: NodeJS.ReadableStream, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let text = "";
    const timer = setTimeout(() => {
      reject(
        new BerthError("DeadlineExceeded", `the OCI runtime did not make the container within ${timeoutMs / 1000} s`),
      );
    }, timeoutMs);
    const done = (line: string | undefined) => {
      clearTimeout(timer);
      resolve(line);
    };
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      const end = text.indexOf("\n");
      if (end >= 0) done(text.slice(0, end));
      else if (text.length > 1 << 20) done(undefined);
    });
    stream.on("error", () => done(undefined));
    stream.on("close", () => done(undefined));
  });
}

/** Tells a monitor to open its log anew, after the old file was moved away. */
export async function reopenLog(bundle: string): Promise<void> {
  await writeControl(bundle, "2 0 0\n");
}

/** Sets the size of a container's terminal. */
export async function resizeTerminal(bundle: string, size: { rows: number; columns: number }): Promise<void> {
  await writeControl(bundle, `1 ${size.rows} ${size.columns}\n`);
}

async function writeControl(bundle: string, command: string): Promise<void> {
  // without a reader the FIFO must not block this process
  const flags = fs.constants.O_WRONLY | fs.constants.O_NONBLOCK;
  const handle = await fs.promises.open(path.join(bundle, "ctl"), flags).catch((cause) => {
    // nobody reads it, or it is not there
    const isGone = ["ENXIO", "ENOENT"].includes(errnoOf(cause) ?? "");
    throw isGone ? new BerthError("FailedPrecondition", "the container's monitor is gone", { cause }) : cause;
  });
  try {
    await handle.write(command);
  } finally {
    await handle.close();
  }
}
