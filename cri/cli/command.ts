import { loadConfig } from "../../api/config/load";
import type { Config } from "../../api/config/schema";
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

export const configHelp = "  --config FILE   the daemon's configuration (/etc/berth/config.toml)";

export const configOf = (values: Values): Config => loadConfig(values["config"] as string | undefined);

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
