import type { Option, Section } from "./options";
import { type Config, configSchema } from "./schema";

/** The default configuration as commented TOML: every option, its default, and what it does. */
export function printDefaults(): string {
  const lines = [
    `# ${configSchema.doc}.`,
    "# Every option with its default; a line is in force once its # is gone.",
    "",
  ];
  printSection(lines, configSchema, "", undefined, "# ");
  return `${lines.join("\n").trim()}\n`;
}

/** The configuration in force as TOML. Secrets are shown as "***". */
export function printConfig(config: Config): string {
  const lines: string[] = [];
  printSection(lines, configSchema, "", config as unknown as Record<string, unknown>, "");
  return `${lines.join("\n").trim()}\n`;
}

const secret = /^(password|identity_token)$/;
const bare = /^[A-Za-z0-9_-]+$/;
const quoteKey = (name: string) => (bare.test(name) ? name : JSON.stringify(name));

function printSection(
  lines: string[],
  section: Section<unknown>,
  prefix: string,
  values: Record<string, unknown> | undefined,
  mark: string,
): void {
  const entries = Object.entries(section.options);
  for (const [name, option] of entries) {
    if (option.kind === "section" || option.kind === "tables") continue;
    if (!values) lines.push(...describe(option));
    const value = values ? values[name] : option.default;
    lines.push(`${mark}${name} = ${secret.test(name) && value ? '"***"' : JSON.stringify(value)}`);
    if (!values) lines.push("");
  }
  for (const [name, option] of entries) {
    const full = prefix ? `${prefix}.${quoteKey(name)}` : quoteKey(name);
    if (option.kind === "section") {
      lines.push("", ...(values ? [] : [`# ${option.doc}.`]), `[${full}]`);
      printSection(lines, option, full, values?.[name] as Record<string, unknown> | undefined, mark);
    } else if (option.kind === "tables") {
      if (!values) {
        lines.push("", `# ${option.doc}`, `# [${full}.NAME]`);
        printSection(lines, option.of, `${full}.NAME`, undefined, mark);
        continue;
      }
      for (const [entry, inner] of Object.entries(values[name] as Record<string, Record<string, unknown>>)) {
        lines.push("", `[${full}.${quoteKey(entry)}]`);
        printSection(lines, option.of, `${full}.${quoteKey(entry)}`, inner, mark);
      }
    }
  }
}

function describe(option: Option): string[] {
  const lines = [`# ${option.doc}`];
  if (option.kind === "choice") lines.push(`# One of ${option.choices.join(", ")}.`);
  return lines;
}
