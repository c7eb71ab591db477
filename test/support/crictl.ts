import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { environment } from "../../hack/support/daemon.cjs";

const CRICTL = path.join(__dirname, "../../build/tools/crictl");

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

/** The real crictl, pointed at one daemon. */
export class Crictl {
  constructor(private readonly daemon: { directory: string; endpoint: string }) {}

  /** Runs it whatever comes of it. */
  try(...args: string[]): Promise<Outcome> {
    const { directory, endpoint } = this.daemon;
    const own = ["--config", this.config(), "--runtime-endpoint", endpoint, "--image-endpoint", endpoint];
    const options = { cwd: directory, env: environment(), timeout: 120_000, maxBuffer: 64 * 2 ** 20 };
    return new Promise((resolve) => {
      execFile(CRICTL, [...own, ...args], options, (error, stdout, stderr) => {
        const code = error ? (error as { code?: unknown }).code : 0;
        resolve({ status: typeof code === "number" ? code : -1, stdout, stderr: stderr || (error?.message ?? "") });
      });
    });
  }

  /** Its standard output, less the last line's end. Throws where it fails. */
  async run(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.try(...args);
    if (status !== 0) throw new Error(`crictl ${args.join(" ")}: status ${status}: ${stderr}${stdout}`);
    return stdout.trimEnd();
  }

  /** What it prints with `--output json`. */
  async json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
    const [verb = "", ...words] = args;
    return JSON.parse(await this.run(verb, "--output", "json", ...words)) as T;
  }

  /** Writes a pod's or container's configuration to a file, which crictl wants it in. */
  file(name: string, content: unknown): string {
    const file = path.join(this.daemon.directory, name);
    fs.writeFileSync(file, JSON.stringify(content));
    return file;
  }

  /** An empty configuration, so that the machine's /etc/crictl.yaml does not count. */
  private config(): string {
    const file = path.join(this.daemon.directory, "crictl.yaml");
    if (!fs.existsSync(file)) fs.writeFileSync(file, "timeout: 30\n");
    return file;
  }
}
