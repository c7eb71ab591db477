import { execFile } from "node:child_process";

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs a program of the cluster's, kubectl or crictl, whatever comes of it. They are in PATH. */
export function run(program: string, args: string[], input?: string | Buffer): Promise<Outcome> {
  const options = { timeout: 180_000, maxBuffer: 64 * 2 ** 20, encoding: "utf8" } as const;
  return new Promise((resolve) => {
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      const code = error ? (error as { code?: unknown }).code : 0;
      resolve({ status: typeof code === "number" ? code : -1, stdout, stderr: stderr || (error?.message ?? "") });
    });
    child.stdin?.on("error", () => {}); // a program that reads nothing
    child.stdin?.end(input);
  });
}

/** Its standard output. Throws where it fails. */
export async function output(program: string, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(program, args);
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: status ${status}: ${stderr}${stdout}`);
  return stdout;
}

export const kubectl = (...args: string[]) => output("kubectl", ...args);
