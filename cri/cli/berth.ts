import { parseArgs } from "node:util";
import { BerthError, messageOf } from "../../api/errors";
import type { Command } from "./command";
import { commands } from "./commands";

function usage(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `usage: berth COMMAND [OPTIONS]\n\n${lines.join("\n")}\n\nberth COMMAND --help tells a command's options.\n`;
}

async function main(argv: string[]): Promise<number> {
  const [name = "", ...rest] = argv;
  if (name === "" || name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(usage());
    return name === "" ? 2 : 0;
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!entry) {
    process.stderr.write(`berth: there is no command "${name}"\n\n${usage()}`);
    return 2;
  }
  const command = await entry.load();
  const options = { config: { type: "string" }, help: { type: "boolean", short: "h" }, ...command.options } as const;
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: ownArgs(rest, options, command), options, allowPositionals: true, strict: true });
  } catch (error) {
    process.stderr.write(`berth ${name}: ${messageOf(error)}\nusage: berth ${command.usage}\n`);
    return 2;
  }
  if (parsed.values["help"]) {
    process.stdout.write(`usage: berth ${command.usage}\n\n${command.help}\n`);
    return 0;
  }
  return command.run(parsed.values as Record<string, string | boolean | undefined>, parsed.positionals);
}

/**
 * For commands that end in somebody else's command line, everything after the first words that are theirs is kept from
 * being read as options: `berth run IMAGE ls -l`.
 */
function ownArgs(args: string[], options: Record<string, { type: string }>, command: Command): string[] {
  if (command.ownWords === undefined) return args;
  let words = 0;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") return args;
    if (arg.startsWith("-")) {
      const option = arg.startsWith("--")
        ? arg.slice(2)
        : Object.entries(options).find(([, o]) => "short" in o && o.short === arg[1])?.[0];
      if (option && !option.includes("=") && options[option]?.type === "string") i++;
    } else if (++words === command.ownWords) return [...args.slice(0, i + 1), "--", ...args.slice(i + 1)];
  }
  return args;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    const hint = error instanceof BerthError && error.hint ? `\n  ${error.hint}` : "";
    process.stderr.write(`berth: ${messageOf(error)}${hint}\n`);
    // what a half-started daemon watches would keep the process
    process.exit(1);
  },
);
