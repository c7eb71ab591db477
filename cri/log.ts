import { printable } from "./printable";

export type LogLevel = "debug" | "info" | "warn" | "error";
type Fields = Record<string, string | number | boolean | undefined>;

const ranks: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
/** Whoever words an error takes care; this is for the one who did not. */
const secrets = [
  [/(:\/\/)[^/\s@]*@/g, "$1***@"],
  // "user:password@host/image"; a tag before a digest is none
  [/(^|[\s"'(=])[^\s"'@/:]+:[^\s"'@/]+@(?!sha\d+:)/g, "$1***@"],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, "$1 ***"],
] as const;
const withoutSecrets = (text: string) => secrets.reduce((left, [secret, mark]) => left.replace(secret, mark), text);
const shown = (text: string) => withoutSecrets(printable(text));

/** One line an event, as `time level message key=value …` or as JSON. */
export class Logger {
  constructor(
    public level: LogLevel = "info",
    public format: "text" | "json" = "text",
    private readonly write: (line: string) => void = (line) => process.stderr.write(line),
  ) {}

  debug = (message: string, fields?: Fields) => this.log("debug", message, fields);
  info = (message: string, fields?: Fields) => this.log("info", message, fields);
  warn = (message: string, fields?: Fields) => this.log("warn", message, fields);
  error = (message: string, fields?: Fields) => this.log("error", message, fields);

  private log(level: LogLevel, message: string, fields: Fields = {}): void {
    if (ranks[level] < ranks[this.level]) return;
    const time = new Date().toISOString();
    if (this.format === "json") {
      const values = Object.entries(fields).map(([key, value]) => [
        key,
        typeof value === "string" ? shown(value) : value,
      ]);
      const line = { time, level, message: shown(message), ...Object.fromEntries(values) };
      this.write(`${JSON.stringify(line)}\n`);
      return;
    }
    const pairs = Object.entries(fields)
      .filter(([, value]) => value !== undefined && value !== "")
      .map(([key, value]) => ` ${key}=${quote(shown(String(value)))}`);
    this.write(`${time} ${level.padEnd(5)} ${shown(message)}${pairs.join("")}\n`);
  }
}

const quote = (text: string) => (/[\s"=]/.test(text) ? JSON.stringify(text) : text);
