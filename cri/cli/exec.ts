import { once } from "node:events";
import { BerthError } from "../../api/errors";
import type { Client } from "../client/client";
import { runExec } from "../streaming/exec-client";
import { type Command, configHelp, type Values, withClient } from "./command";

export const exec: Command = {
  usage: "exec [-i] [-t] [--timeout S] [--config FILE] CONTAINER COMMAND [ARG ...]",
  help: `Runs a command in a running container to its end, prints what it prints and exits with its code.\n
  -i, --stdin     hand it our standard input
  -t, --tty       give it a terminal; with -i for a shell
  --timeout S     kill it after so many seconds, and print its output at its end; not with -i or -t\n${configHelp}`,
  options: {
    stdin: { type: "boolean", short: "i" },
    tty: { type: "boolean", short: "t" },
    timeout: { type: "string" },
  },
  ownWords: 1,
  run: (values, [containerId, ...cmd]) =>
    withClient(values, async (client) => {
      if (!containerId || cmd.length === 0) throw new BerthError("InvalidArgument", "name a container and a command");
      if (values["timeout"] === undefined) return streamed(client, values, { containerId, cmd });
      if (values["stdin"] || values["tty"])
        throw new BerthError("InvalidArgument", "--timeout is for commands without -i and -t");
      const timeout = BigInt(values["timeout"] as string);
      const { stdout, stderr, exitCode } = await client.runtime("ExecSync", { containerId, cmd, timeout });
      process.stdout.write(stdout);
      process.stderr.write(stderr);
      return exitCode;
    }),
};

async function streamed(client: Client, values: Values, what: { containerId: string; cmd: string[] }): Promise<number> {
  const [stdin, tty] = [values["stdin"] === true, values["tty"] === true];
  const { url } = await client.runtime("Exec", { ...what, stdin, tty, stdout: true, stderr: !tty });
  const isTerminal = tty && stdin && process.stdin.isTTY;
  // what is typed goes to the other terminal as it is, Ctrl-C too
  if (isTerminal) process.stdin.setRawMode(true);
  try {
    return await runExec(url, {
      ...(stdin ? { stdin: process.stdin } : {}),
      stdout: process.stdout,
      stderr: process.stderr,
      ...(tty && process.stdout.isTTY ? { sizes: sizesOf(process.stdout) } : {}),
    });
  } finally {
    if (isTerminal) process.stdin.setRawMode(false);
    if (stdin) process.stdin.unref();
  }
}

/** The terminal's size now and each time that it changes. */
async function* sizesOf(terminal: NodeJS.WriteStream): AsyncGenerator<{ columns: number; rows: number }> {
  for (;;) {
    yield { columns: terminal.columns, rows: terminal.rows };
    await once(terminal, "resize");
  }
}
