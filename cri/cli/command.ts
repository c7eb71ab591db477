import { loadConfig } from "../../api/config/load";
import type { Config } from "../../api/config/schema";
import { BerthError } from "../../api/errors";
import { Client } from "../client/client";

export type Values = Record<string, string | boolean | undefined>;

/** One subcommand. */
export interface Command {
  /** Without the program's name: "ps [--output json]". */
  usage: string;
  help: string;
  options: Record<string, { type: "string" | "boolean"; short?: string }>;
  /** How many words are the command's own, before somebody else's command line begins. */
  ownWords?: number;
  /** Returns the exit code. */
  run(values: Values, words: string[]): Promise<number>;
}

/** Commands by name, each loaded when it is called for. */
export type Commands = Record<string, { summary: string; load: () => Promise<Command> }>;

export const configHelp = "  --config FILE   the daemon's configuration (/etc/berth/config.toml)";

export const configOf = (values: Values): Config => loadConfig(values["config"] as string | undefined);

/** A whole number of seconds that an option may have been given. Throws InvalidArgument. */
export function secondsOf(values: Values, name: string, otherwise: number): number {
  const given = values[name];
  if (given === undefined) return otherwise;
  if (typeof given !== "string" || !/^\d{1,9}$/.test(given))
    throw new BerthError("InvalidArgument", `--${name} is "${String(given)}"; expected a whole number of seconds`);
  return Number(given);
}

/** Prints a message of the CRI, or a list of them, as JSON; 64-bit numbers as text, as protobuf's JSON has them. */
export function printJson(value: unknown): void {
  const plain = (_key: string, each: unknown) =>
    typeof each === "bigint" ? String(each) : each instanceof Uint8Array ? Buffer.from(each).toString("base64") : each;
  process.stdout.write(`${JSON.stringify(value, plain, 2)}\n`);
}

/** Runs `work` with a connection to the daemon of that configuration. */
export async function withClient<T>(values: Values, work: (client: Client, config: Config) => Promise<T>): Promise<T> {
  const config = configOf(values);
  const client = new Client(config.socket);
  try {
    return await work(client, config);
  } finally {
    client.close();
  }
}
