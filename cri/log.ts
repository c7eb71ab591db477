import { printable } from "./printable";

export type LogLevel = "debug" | "info" | "warn" | "error";
type Fields = Record<string, string | number | boolean | undefined>;

const ranks: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** One line an event, as `time level message key=value …` or as JSON. */
export class Logger {
  constructor(
    public level: LogLevel = "info",
    private readonly format: "text" | "json" = "text",
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
      this.write(`${JSON.stringify({ time, level, message: printable(message), ...fields })}\n`);
      return;
    }
    const pairs = Object.entries(fields)
      .filter(([, value]) => value !== undefined && value !== "")
      .map(([key, value]) => ` ${key}=${quote(printable(String(value)))}`);
    this.write(`${time} ${level.padEnd(5)} ${printable(message)}${pairs.join("")}\n`);
  }
}

const quote = (text: string) => (/[\s"=]/.test(text) ? JSON.stringify(text) : text);
