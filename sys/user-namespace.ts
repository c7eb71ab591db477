import fs from "node:fs";
import { BerthError, messageOf } from "../api/errors";
import { mapLines, type UserNamespace } from "./id-mapping";
import { openPipes } from "./open-pipes";
import { pipeToChild } from "./pipe-to-child";
import { type Child, findProgram, killGroup, pipeFromChild, runProcess, spawnProcess } from "./spawn";

/** For unshare(1) and nsenter(1), which answer within 10 ms on a machine that is not in distress. */
const patienceMs = 10_000;
const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

export interface NewUserNamespace extends Pick<UserNamespace, "uids" | "gids"> {
  /** Further namespaces to be made inside it, and so to be owned by it. */
  types: readonly ("net" | "ipc" | "uts")[];
}

/**
 * Makes a user namespace and others inside it, and calls `use` with a process that lives in them and ends right after:
 * what is to stay has to be opened or bound meanwhile. Only a process with one thread may enter a new user namespace,
 * which Node never is, so a child does (unshare(1), unshare(2)). Throws FailedPrecondition where the kernel refuses.
 */
export async function inNewUserNamespace<T>(request: NewUserNamespace, use: (pid: number) => T): Promise<T> {
  const types = ["user", ...request.types].map((type) => `--${type}`);
  // cat answers once it is in the namespaces, and ends by itself should this process end
  const { child, input, output } = startChild(program("unshare"), [...types, "cat"]);
  let said = "";
  const timer = setTimeout(() => killGroup(child.pid), patienceMs);
  try {
    const answered = new Promise<void>((resolve, reject) => {
      output.on("data", (data: Buffer) => {
        said += data;
        if (said.startsWith(".")) resolve();
      });
      output.once("error", reject);
      output.once("close", () => reject(new Error(said.trim() || "unshare did not answer")));
      input.once("error", () => {}); // it has ended, and the output tells why
    });
    input.write(".");
    await answered;
    fs.writeFileSync(`/proc/${child.pid}/uid_map`, mapLines(request.uids));
    fs.writeFileSync(`/proc/${child.pid}/gid_map`, mapLines(request.gids));
    return use(child.pid);
  } catch (cause) {
    throw new BerthError("FailedPrecondition", `making a user namespace: ${messageOf(cause)}`, {
      hint: "sysctl user.max_user_namespaces says how many there may be, and 0 forbids them",
      cause,
    });
  } finally {
    clearTimeout(timer);
    input.destroy();
    output.destroy();
    killGroup(child.pid);
    await child.exited;
  }
}

function startChild(file: string, args: string[]) {
  const [input, output] = openPipes(pipeToChild, pipeFromChild);
  let child: Child;
  try {
    child = spawnProcess({ file, args, env: environment, fds: { 0: input.child, 1: output.child, 2: output.child } });
  } catch (error) {
    input.stream.destroy();
    output.stream.destroy();
    throw error;
  } finally {
    fs.closeSync(input.child);
    fs.closeSync(output.child);
  }
  return { child, input: input.stream, output: output.stream };
}

/**
 * Writes files below /proc/sys as root of a user namespace, inside namespaces that it owns: the kernel lets nobody else
 * write those of an IPC namespace, not even the host's root. `files` hold the namespaces. Throws InvalidArgument.
 */
export async function writeSysctlsInside(
  files: Record<"user" | "net" | "ipc", string>,
  sysctls: readonly { file: string; value: string }[],
): Promise<void> {
  if (sysctls.length === 0) return;
  const script = 'while [ $# -gt 0 ]; do printf %s "$2" >"/proc/sys/$1" || exit 1; shift 2; done';
  const enter = Object.entries(files).map(([type, file]) => `--${type}=${file}`);
  const values = sysctls.flatMap(({ file, value }) => [file, value]);
  const { code, stderr } = await runProcess({
    file: program("nsenter"),
    args: [...enter, "--setuid=0", "--setgid=0", "--", "sh", "-c", script, "sh", ...values],
    env: environment,
    timeoutMs: patienceMs,
  });
  if (code !== 0) throw new BerthError("InvalidArgument", `sysctls: ${stderr.trim() || `exit code ${code}`}`);
}

function program(name: string): string {
  const file = findProgram(name);
  if (file) return file;
  throw new BerthError("FailedPrecondition", `${name} is missing`, { hint: "it belongs to util-linux" });
}
