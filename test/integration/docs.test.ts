import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, jest, test } from "@jest/globals";
import { applyConfig, defaultsOf } from "../../api/config/load";
import type { Section } from "../../api/config/options";
import { type Config, configSchema } from "../../api/config/schema";
import { commands } from "../../cri/cli/commands";

jest.setTimeout(20_000);

/** What documents and manifests name exists. */
const project = path.join(__dirname, "../..");

function filesBelow(directory: string): string[] {
  const entries = fs.readdirSync(path.join(project, directory), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(project, path.join(entry.parentPath, entry.name)));
}
const documents = ["README.md", ...filesBelow("docs"), ...filesBelow("manifests")];
const read = (file: string) => fs.readFileSync(path.join(project, file), "utf8");

/** Every key of the schema; NAME stands for an entry of a table. */
function keysOf(section: Section<unknown>, prefix = ""): string[] {
  return Object.entries(section.options).flatMap(([name, option]) => {
    const key = `${prefix}${name}`;
    if (option.kind === "section") return [key, ...keysOf(option, `${key}.`)];
    return option.kind === "tables" ? [key, `${key}.NAME`, ...keysOf(option.of, `${key}.NAME.`)] : [key];
  });
}
const keys = new Set(keysOf(configSchema));
const tables = [...keys].filter((key) => keys.has(`${key}.NAME`));
/** Whether there is such an option; of a table's entry any name will do. */
const isKnown = (name: string) =>
  keys.has(name) || tables.some((table) => name.startsWith(`${table}.`) && keys.has(anyEntry(name, table)));
const anyEntry = (name: string, table: string) => `${table}.${name.slice(table.length + 1).replace(/^[^.]+/, "NAME")}`;
const sections = Object.entries(configSchema.options).flatMap(([name, { kind }]) => (kind === "section" ? [name] : []));

test("the references are what the schema and the metrics make", () => {
  execFileSync(path.join(project, "node_modules/.bin/node"), ["hack/generate-docs.mjs", "--check"], { cwd: project });
});

test("every option of the schema is in the configuration reference", () => {
  const reference = read("docs/configuration.md");
  expect([...keys].filter((key) => !reference.includes(`\`${key}\``) && !reference.includes(`[${key}]`))).toEqual(
    // a table is told by its entries
    tables,
  );
});

test("every option that is named exists", () => {
  const named = new RegExp(`(?<![\\w./-])(?:${sections.join("|")})\\.[a-z_]+(?:\\.[A-Za-z_]+)*(?![\\w/-])`, "g");
  const isFile = (name: string) => /\.(md|toml|json|yaml|ts|sh|conflist|d|tar)$/.test(name);
  const unknown = documents.flatMap((file) =>
    [...read(file).matchAll(named)]
      .map(([name]) => name)
      .filter((name) => !isFile(name) && !isKnown(name))
      .map((name) => `${file}: ${name}`),
  );
  expect(unknown).toEqual([]);
  const inBrackets = documents.flatMap((file) =>
    [...read(file).matchAll(/(?<![\w\]])\[([a-z]+(?:\.[A-Za-z_]+)*)\](?!\()/g)]
      .map(([, name]) => name!)
      .filter((name) => sections.includes(name.split(".")[0]!) && !isKnown(name))
      .map((name) => `${file}: [${name}]`),
  );
  expect(inBrackets).toEqual([]);
});

test("TOML that is shown can be loaded", () => {
  for (const file of documents.filter((each) => each.endsWith(".md"))) {
    for (const [, text = ""] of read(file).matchAll(/^```toml\n(.*?)^```$/gms)) {
      // a hosts.toml has a server
      if (!/^server\b/m.test(text)) applyConfig(defaultsOf(configSchema) as Config, text, file);
    }
  }
});

test("every command and option of Berth's that is named exists", async () => {
  const problems: string[] = [];
  for (const file of documents) {
    const code = [...read(file).matchAll(/`([^`\n]+)`|^```\w*\n(.*?)^```$/gms)].map((match) => match[1] ?? match[2]!);
    for (const line of code.flatMap((each) => each.split(/\n|;|\|/))) {
      const [, name, rest = ""] = /^\s*(?:\S*bin\/)?berth ([a-z]+)(.*)$/.exec(line.replace(/#.*/, "")) ?? [];
      if (!name) continue;
      const command = Object.hasOwn(commands, name) ? await commands[name]!.load() : undefined;
      if (!command) problems.push(`${file}: berth ${name}`);
      // after an image or a container somebody else's command line begins
      const own = command?.ownWords === undefined ? rest : rest.split(/ [A-Za-z]/, 1)[0]!;
      const known = ["config", "help", ...Object.keys(command?.options ?? {})];
      for (const [, option] of own.matchAll(/ --([a-z-]+)/g)) {
        if (command && !known.includes(option!)) problems.push(`${file}: berth ${name} --${option}`);
      }
    }
  }
  expect(problems).toEqual([]);
});

test("every command tells its options in its help", async () => {
  const problems: string[] = [];
  for (const [name, { load }] of Object.entries(commands)) {
    const { options, help, usage } = await load();
    for (const option of Object.keys(options)) {
      if (!help.includes(`--${option}`)) problems.push(`berth ${name} --${option}`);
    }
    expect(usage.split(" ")[0]).toBe(name);
  }
  expect(problems).toEqual([]);
});
