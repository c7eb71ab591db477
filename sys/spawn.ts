import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { BerthError } from "../api/errors";
import { check, checkReturned, declare } from "./libc";
import { type ChildPipe, openPipes } from "./open-pipes";

const posixSpawn = declare(
  "int posix_spawn(_Out_ int *pid, const char *path, void *actions, void *attributes, const char **argv, const char **env)",
);
const actionsInit = declare("int posix_spawn_file_actions_init(void *actions)");
const actionsOpen = declare(
  "int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, int mode)",
);
const actionsDup2 = declare("int posix_spawn_file_actions_adddup2(void *actions, int from, int to)");
const actionsChdir = declare("int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)");
const actionsCloseFrom = declare("int posix_spawn_file_actions_addclosefrom_np(void *actions, int from)");
const actionsDestroy = declare("int posix_spawn_file_actions_destroy(void *actions)");
const attributesInit = declare("int posix_spawnattr_init(void *attributes)");
const attributesFlags = declare("int posix_spawnattr_setflags(void *attributes, short flags)");
const attributesSigdefault = declare("int posix_spawnattr_setsigdefault(void *attributes, void *signals)");
const attributesSigmask = declare("int posix_spawnattr_setsigmask(void *attributes, void *signals)");
const sigfillset = declare("int sigfillset(void *signals)");
const pipe2 = declare("int pipe2(_Out_ int *ends, int flags)");
const waitpid = declare("int waitpid(int pid, _Out_ int *status, int options)");

const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;
const O_CLOEXEC = 0x80000;
const O_RDWR = 2;
const WNOHANG = 1;

export interface SpawnRequest {
  /** Absolute. */
  file: string;
  /** What the program is told that it is called; the file's name by default. */
  name?: string;
  /** Without the name of the program. */
  args: string[];
  /** The whole environment. */
  env: Record<string, string>;
  cwd?: string;
  /** Descriptors of this process by the number that they have in the child; 0 to 2 are /dev/null where not given. */
  fds?: Record<number, number>;
}

export interface Exit {
  /** 128 + n after death by signal n. */
  code: number;
}

export interface Child {
  pid: number;
  exited: Promise<Exit>;
}

// attributes are the same for every child: a session of its own, no signal blocked or caught
const attributes = Buffer.alloc(512);
const allSignals = Buffer.alloc(128);
sigfillset(allSignals);
attributesInit(attributes);
attributesSigdefault(attributes, allSignals);
attributesSigmask(attributes, Buffer.alloc(128));
attributesFlags(attributes, SETSIGDEF | SETSIGMASK | SETSID);

const waiting = new Map<number, (exit: Exit) => void>();

function reap(): void {
  for (const [pid, resolve] of waiting) {
    const status = [0];
    if (Number(waitpid(pid, status, WNOHANG)) !== pid) continue;
    waiting.delete(pid);
    const signal = status[0]! & 0x7f;
    resolve({ code: signal ? 128 + signal : (status[0]! >> 8) & 0xff });
  }
  if (waiting.size === 0) process.off("SIGCHLD", reap);
}

/**
 * Starts a process in a session of its own by posix_spawn(3): it blocks the loop for 0.2 ms whatever the size of this
 * process, where libuv's fork copies page tables for 1 to 16 ms. Nothing is inherited but the given descriptors.
 * Throws what the kernel says of the file, such as ENOENT.
 */
export function spawnProcess({ file, name, args, env, cwd, fds = {} }: SpawnRequest): Child {
  const actions = Buffer.alloc(128);
  checkReturned(Number(actionsInit(actions)), "posix_spawn_file_actions_init");
  try {
    if (cwd) checkReturned(Number(actionsChdir(actions, cwd)), "chdir", cwd);
    // a source that lies where another is to go would be overwritten first: the caller's numbers are all above
    for (const number of [0, 1, 2]) if (fds[number] === undefined) actionsOpen(actions, number, "/dev/null", O_RDWR, 0);
    for (const [number, from] of Object.entries(fds)) actionsDup2(actions, from, Number(number));
    // what this process itself was started with may lack close-on-exec
    actionsCloseFrom(actions, Math.max(2, ...Object.keys(fds).map(Number)) + 1);
    const pid = [0];
    const environment = Object.entries(env).map(([key, value]) => `${key}=${value}`);
    const result = posixSpawn(
      pid,
      file,
      actions,
      attributes,
      [name ?? path.basename(file), ...args, null],
      [...environment, null],
    );
    checkReturned(Number(result), "posix_spawn", file);
    if (waiting.size === 0) process.on("SIGCHLD", reap);
    const exited = new Promise<Exit>((resolve) => waiting.set(pid[0]!, resolve));
    // its SIGCHLD may have come before the handler was there
    setImmediate(reap);
    return { pid: pid[0]!, exited };
  } finally {
    actionsDestroy(actions);
  }
}

/** A pipe for a child: `child` is to be given to it and then closed here, `stream` is read or written here. */
export function pipeFromChild(): ChildPipe {
  const [read, write] = makePipe();
  return { child: write, stream: new net.Socket({ fd: read, readable: true, writable: false }) };
}

function makePipe(): [number, number] {
  const ends = [0, 0];
  check(pipe2(ends, O_CLOEXEC), "pipe2");
  // 0 to 2 are never free in a daemon; pipes then lie above every number a child is given
  return [ends[0]!, ends[1]!];
}

export interface RunRequest extends Omit<SpawnRequest, "fds"> {
  /** The process group is killed then, and DeadlineExceeded thrown. */
  timeoutMs: number;
  /** What is kept of stdout and stderr together. */
  limitBytes?: number;
  /** The process group is killed when it aborts, and its reason thrown. */
  signal?: AbortSignal;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a short command to its end, whatever its exit code. Output past `limitBytes` (1 MiB) is dropped. */
export async function runProcess(request: RunRequest): Promise<RunResult> {
  const limit = request.limitBytes ?? 1 << 20;
  const [out, err] = openPipes(pipeFromChild, pipeFromChild);
  let child: Child;
  try {
    child = spawnProcess({ ...request, fds: { 1: out.child, 2: err.child } });
  } catch (error) {
    out.stream.destroy();
    err.stream.destroy();
    throw error;
  } finally {
    fs.closeSync(out.child);
    fs.closeSync(err.child);
  }
  let late = false;
  const end = () => {
    killGroup(child.pid);
    out.stream.destroy();
    err.stream.destroy();
  };
  const timer = setTimeout(() => {
    late = true;
    end();
  }, request.timeoutMs);
  const { signal } = request;
  signal?.addEventListener("abort", end);
  if (signal?.aborted) end();
  try {
    const [stdout, stderr, exit] = await Promise.all([
      readAll(out.stream, limit),
      readAll(err.stream, limit),
      child.exited,
    ]);
    signal?.throwIfAborted();
    if (late) {
      const command = `${request.name ?? path.basename(request.file)} ${request.args.join(" ")}`.slice(0, 200);
      throw new BerthError(
        "DeadlineExceeded",
        `${command} did not end within ${request.timeoutMs / 1000} s and was killed`,
      );
    }
    return { code: exit.code, stdout, stderr };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}

/** Reads to the end, keeping at most `limitBytes`. */
export async function readAll(stream: net.Socket, limitBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  await new Promise<void>((resolve) => {
    stream.on("data", (chunk: Buffer) => {
      if (size < limitBytes) chunks.push(chunk.subarray(0, limitBytes - size));
      size += chunk.length;
    });
    stream.on("error", () => resolve());
    stream.on("close", () => resolve());
  });
  return Buffer.concat(chunks).toString("utf8");
}

/** SIGKILL to a child and all that has stayed in its process group; nothing where it is gone. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // gone
  }
}

/** The absolute path of a program named by path or found in PATH and the usual sbin directories; undefined if there is none. */
export function findProgram(name: string): string | undefined {
  const candidates = name.includes("/")
    ? [path.resolve(name)]
    : [
        ...(process.env["PATH"] ?? "").split(":"),
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
      ]
        .filter((directory) => directory.startsWith("/"))
        .map((directory) => path.join(directory, name));
  return candidates.find((file) => {
    try {
      fs.accessSync(file, fs.constants.X_OK);
      return fs.statSync(file).isFile();
    } catch {
      return false;
    }
  });
}
