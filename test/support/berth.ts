import { execFile } from "node:child_process";
import path from "node:path";
import { environment } from "../../hack/support/daemon.cjs";
import type { Outcome } from "./crictl";

const program = path.join(__dirname, "../../bin/berth");

/** Runs one of Berth's own commands with a configuration, whatever comes of it. */
export function tryBerth(configFile: string, args: string[], input = ""): Promise<Outcome> {
  const [verb = "", ...rest] = args;
  const options = { env: environment(), timeout: 30_000, maxBuffer: 64 << 20 };
  return new Promise((resolve) => {
    const child = execFile(program, [verb, "--config", configFile, ...rest], options, (error, stdout, stderr) => {
      const code = error ? (error as { code?: unknown }).code : 0;
      resolve({ status: typeof code === "number" ? code : -1, stdout, stderr: stderr || (error?.message ?? "") });
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** Its standard output. Throws where it fails. */
export async function berth(configFile: string, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await tryBerth(configFile, args);
  if (status !== 0) throw new Error(`berth ${args.join(" ")}: status ${status}: ${stderr}${stdout}`);
  return stdout;
}
