import fs from "node:fs";
import path from "node:path";
import { BerthError } from "../errors";
import { parseToml, shortened, type TomlTable, type TomlValue } from "../toml";
import type { Option, Section } from "./options";
import { type Config, configSchema } from "./schema";

export const defaultConfigFile = "/etc/berth/config.toml";

const limitBytes = 1 << 20;

/**
 * Reads the configuration: the defaults, over them `file`, over that each `config.d/*.toml` beside it by name.
 * Lists are replaced, not joined. Throws InvalidArgument with file, line and what was expected; NotFound where
 * `file` was asked for and is not there.
 */
export function loadConfig(file = defaultConfigFile): Config {
  const config = defaultsOf(configSchema) as Config;
  const files = [];
  if (fs.existsSync(file)) files.push(file);
  else if (file !== defaultConfigFile) {
    throw new BerthError("NotFound", `configuration file ${file} does not exist`, {
      hint: "`berth config default` prints one to start from",
    });
  }
  const dropIns = path.join(path.dirname(file), "config.d");
  if (fs.existsSync(dropIns)) {
    for (const name of fs.readdirSync(dropIns).sort()) if (name.endsWith(".toml")) files.push(path.join(dropIns, name));
  }
  for (const each of files) applyConfig(config, readConfigFile(each), each);
  return config;
}

/** Throws InvalidArgument for what is no file, or larger than any that somebody has written. */
function readConfigFile(file: string): string {
  const stat = fs.statSync(file);
  if (!stat.isFile()) throw new BerthError("InvalidArgument", `${file}:1: is not a regular file`);
  if (stat.size > limitBytes) throw new BerthError("InvalidArgument", `${file}:1: is larger than ${limitBytes} bytes`);
  return fs.readFileSync(file, "utf8");
}

/** Lays the options that `text` sets over `config`. */
export function applyConfig(config: Config, text: string, file: string): void {
  applySection(config as unknown as Record<string, unknown>, parseToml(text, file), configSchema, "", file);
}

/** A section's values as they are when nobody sets any. */
export function defaultsOf(section: Section<unknown>): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(section.options)) {
    values[name] = option.kind === "section" ? defaultsOf(option) : structuredClone(option.default);
  }
  return values;
}

function applySection(
  values: Record<string, unknown>,
  table: TomlTable,
  section: Section<unknown>,
  prefix: string,
  file: string,
): void {
  for (const [name, given] of table.value) {
    const option = Object.hasOwn(section.options, name) ? section.options[name] : undefined;
    const where = `${file}:${given.line}`;
    if (!option) {
      const near = closest(name, Object.keys(section.options));
      const scope = prefix ? `section [${prefix}]` : "the top level";
      throw new BerthError(
        "InvalidArgument",
        `${where}: unknown key "${shortened(name)}" in ${scope}; expected one of ${Object.keys(section.options).join(", ")}`,
        { hint: near ? `did you mean "${near}"?` : undefined },
      );
    }
    const key = prefix ? `${prefix}.${name}` : name;
    if (option.kind === "section") {
      applySection(values[name] as Record<string, unknown>, asTable(given, key, where), option, key, file);
    } else if (option.kind === "tables") {
      const all = values[name] as Record<string, Record<string, unknown>>;
      for (const [entry, inner] of asTable(given, key, where).value) {
        const innerWhere = `${file}:${inner.line}`;
        // JavaScript has names of its own on every object
        if (entry === "__proto__") {
          throw new BerthError("InvalidArgument", `${innerWhere}: ${key}.__proto__ cannot be the name of an entry`);
        }
        if (!Object.hasOwn(all, entry)) all[entry] = defaultsOf(option.of);
        const entryKey = `${key}.${shortened(entry)}`;
        applySection(all[entry]!, asTable(inner, entryKey, innerWhere), option.of, entryKey, file);
      }
    } else values[name] = readOption(option, given, key, where);
  }
}

function asTable(given: TomlValue, key: string, where: string): TomlTable {
  if (given.kind !== "table") throw expected("a table", given, key, where);
  return given;
}

function readOption(option: Option, given: TomlValue, key: string, where: string): unknown {
  switch (option.kind) {
    case "string": {
      if (given.kind !== "string") throw expected("a string", given, key, where);
      const want = option.check?.(given.value);
      if (want) throw expected(want, given, key, where);
      return given.value;
    }
    case "choice":
      if (given.kind !== "string" || !option.choices.includes(given.value)) {
        throw expected(`one of ${option.choices.map((c) => `"${c}"`).join(", ")}`, given, key, where);
      }
      return given.value;
    case "integer":
      if (given.kind !== "integer" || given.value < option.min || given.value > option.max) {
        throw expected(`a whole number from ${option.min} to ${option.max}`, given, key, where);
      }
      return given.value;
    case "boolean":
      if (given.kind !== "boolean") throw expected("true or false", given, key, where);
      return given.value;
    case "strings": {
      if (given.kind !== "array") throw expected("a list of strings", given, key, where);
      return given.value.map((element) => {
        if (element.kind !== "string") throw expected("a list of strings", element, key, where);
        const want = option.check?.(element.value);
        if (want) throw expected(`a list of which each is ${want}`, element, key, where);
        return element.value;
      });
    }
    default:
      throw new BerthError("Internal", `${key} is no plain option`);
  }
}

function expected(want: string, given: TomlValue, key: string, where: string): BerthError {
  const shown =
    given.kind === "table" || given.kind === "array" ? `a ${given.kind}` : JSON.stringify(given.value).slice(0, 200);
  return new BerthError("InvalidArgument", `${where}: ${key} is ${shown}; expected ${want}`);
}

/** The name that differs least, where it differs little. */
function closest(name: string, names: string[]): string | undefined {
  const distance = (a: string, b: string) => {
    let row = Array.from({ length: b.length + 1 }, (_, i) => i);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) {
        next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      }
      row = next;
    }
    return row[b.length]!;
  };
  const best = names.map((n) => ({ n, d: distance(name, n) })).sort((a, b) => a.d - b.d)[0];
  return best && best.d <= 3 ? best.n : undefined;
}
