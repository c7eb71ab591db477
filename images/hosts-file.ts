import { readFileSync, statSync } from "node:fs";
import { isAbsolute, join, normalize } from "node:path";
import { BerthError, messageOf } from "../api/errors";
import { parseToml, shortened, type TomlTable, type TomlValue } from "../api/toml";
import { parseGoDuration } from "./go-duration";

export interface Capabilities {
  pull: boolean;
  /** May say which digest a tag stands for. */
  resolve: boolean;
  push: boolean;
}

/** What hosts.toml says of one host; what it does not say is undefined. */
export interface HostSettings {
  /** The API's root, /v2 included. */
  url?: URL;
  capabilities?: Capabilities;
  /** PEM. */
  ca?: string[];
  /** PEM. */
  client?: { cert: string; key: string }[];
  skipVerify?: boolean;
  /** Names in lower case. */
  headers?: Record<string, string[]>;
  connectTimeoutMs?: number;
  proxy?: string;
}

export interface HostsFile {
  /** In the order of the file. */
  hosts: HostSettings[];
  /** The settings at the top; `url` only where `server` is set. */
  server: HostSettings;
}

interface Source {
  text: string;
  path: string;
  /** Where relative paths begin. */
  directory: string;
}

const maxPemBytes = 1 << 20;
// a timer of Node's past 24 days would fire at once
const longestTimeoutMs = 3_600_000;
const hostKeys = "capabilities, ca, client, skip_verify, override_path, header, dial_timeout, proxy";

/**
 * Parses a hosts.toml as containerd defines it (docs/hosts.md). Unlike containerd, which logs what is wrong and goes
 * on without the file, this throws InvalidArgument with file and line: a mirror that is silently not used is worse.
 */
export function parseHostsFile(source: Source): HostsFile {
  const top = new Map(parseToml(source.text, source.path).value);
  const server = top.get("server");
  const hosts = top.get("host");
  top.delete("server");
  top.delete("host");
  if (server && server.kind !== "string") wrong(source, server, '"server" must be a string');
  if (hosts && hosts.kind !== "table") wrong(source, hosts, '"host" must be tables: [host."https://…"]');
  const parsed: HostSettings[] = [];
  for (const [url, table] of hosts?.kind === "table" ? hosts.value : []) {
    if (table.kind !== "table") return wrong(source, table, `[host."${shortened(url)}"] must be a table`);
    parsed.push(readSettings(source, table, { text: url, line: table.line }));
  }
  const url = server?.kind === "string" && server.value !== "" ? { text: server.value, line: server.line } : undefined;
  return { hosts: parsed, server: readSettings(source, { kind: "table", value: top, line: 1 }, url) };
}

function readSettings(source: Source, table: TomlTable, url: { text: string; line: number } | undefined): HostSettings {
  const settings: HostSettings = {};
  let overridePath = false;
  for (const [key, value] of table.value) {
    switch (key) {
      case "capabilities":
        settings.capabilities = readCapabilities(source, value);
        break;
      case "ca":
        settings.ca = strings(source, key, value).map((path) => readPem(source, path, value.line));
        break;
      case "client":
        settings.client = readClientPairs(source, value);
        break;
      case "skip_verify":
        settings.skipVerify = boolean(source, key, value);
        break;
      case "override_path":
        overridePath = boolean(source, key, value);
        break;
      case "header":
        settings.headers = readHeaders(source, value);
        break;
      case "dial_timeout":
        settings.connectTimeoutMs = readTimeout(source, value);
        break;
      case "proxy":
        settings.proxy = readProxy(source, value);
        break;
      default:
        wrong(source, value, `"${shortened(key)}" is not a setting of a host; there are ${hostKeys}`);
    }
  }
  if (url) settings.url = readUrl(source, url, overridePath);
  return settings;
}

function readUrl(source: Source, { text, line }: { text: string; line: number }, overridePath: boolean): URL {
  const place = { line };
  const parsed = URL.parse(/^https?:\/\//.test(text) ? text : `https://${text}`);
  if (!parsed || parsed.hostname === "" || /^[a-z]+:\/\//.test(text.replace(/^https?:\/\//, ""))) {
    return wrong(source, place, "the host is not an http or https URL");
  }
  if (parsed.username !== "" || parsed.password !== "") {
    wrong(source, place, "a URL with a password in it; credentials belong into [images.registries] or an auth file");
  }
  parsed.search = "";
  parsed.hash = "";
  const path = normalize(parsed.pathname).replace(/\/+$/, "");
  parsed.pathname = overridePath || path.endsWith("/v2") ? path : `${path}/v2`;
  return parsed;
}

function readCapabilities(source: Source, value: TomlValue): Capabilities {
  const names = strings(source, "capabilities", value).map((name) => name.toLowerCase());
  // containerd takes an empty list for all of them
  if (names.length === 0) return { pull: true, resolve: true, push: true };
  const odd = names.find((name) => !["pull", "resolve", "push"].includes(name));
  if (odd !== undefined) wrong(source, value, `"${shortened(odd)}" is not a capability; there are pull, resolve, push`);
  return { pull: names.includes("pull"), resolve: names.includes("resolve"), push: names.includes("push") };
}

function readClientPairs(source: Source, value: TomlValue): { cert: string; key: string }[] {
  const entries = value.kind === "array" ? value.value : [value];
  return entries.map((entry) => {
    const paths = strings(source, "client", entry);
    if (entry.kind === "array" && paths.length !== 2) wrong(source, entry, "a pair is a certificate and its key");
    const cert = readPem(source, paths[0]!, entry.line);
    // an empty or missing second path: both stand in the first file
    return { cert, key: paths[1] ? readPem(source, paths[1], entry.line) : cert };
  });
}

function readHeaders(source: Source, value: TomlValue): Record<string, string[]> {
  if (value.kind !== "table") return wrong(source, value, '"header" must be a table');
  const headers = new Map<string, string[]>();
  for (const [name, entry] of value.value) {
    const texts = strings(source, name, entry);
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) wrong(source, entry, "the name of a header is malformed");
    if (!texts.every((text) => /^[\t\x20-\x7e]*$/.test(text)))
      wrong(source, entry, `header "${shortened(name)}" is malformed`);
    headers.set(name.toLowerCase(), texts);
  }
  return Object.fromEntries(headers);
}

function readTimeout(source: Source, value: TomlValue): number {
  const timeoutMs = value.kind === "string" ? parseGoDuration(value.value) : undefined;
  if (timeoutMs === undefined || timeoutMs <= 0 || timeoutMs > longestTimeoutMs) {
    return wrong(source, value, '"dial_timeout" must be a time such as "5s" or "500ms", an hour at the most');
  }
  return timeoutMs;
}

function readProxy(source: Source, value: TomlValue): string {
  const url = value.kind === "string" ? URL.parse(value.value) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || url.pathname !== "/" || url.search || url.hash) {
    return wrong(source, value, '"proxy" must be an http or https URL without a path');
  }
  return url.href;
}

/** Read here, and synchronously, so that a missing file is told with the line that names it. */
function readPem(source: Source, path: string, line: number): string {
  if (!isAbsolute(path) && normalize(path).startsWith(".."))
    wrong(source, { line }, `"${shortened(path)}" leaves the directory`);
  const full = isAbsolute(path) ? path : join(source.directory, path);
  let pem: string;
  try {
    const stat = statSync(full);
    // a device or a FIFO would have no end
    if (!stat.isFile() || stat.size > maxPemBytes) {
      throw new Error(`${full} is no regular file of at most ${maxPemBytes} bytes`);
    }
    pem = readFileSync(full, "utf8");
  } catch (error) {
    return wrong(source, { line }, messageOf(error));
  }
  if (!pem.includes("-----BEGIN ")) wrong(source, { line }, `${full} is not a PEM file`);
  return pem;
}

function strings(source: Source, key: string, value: TomlValue): string[] {
  const entries = value.kind === "array" ? value.value : [value];
  return entries.map((entry) =>
    entry.kind === "string"
      ? entry.value
      : wrong(source, entry, `"${shortened(key)}" must be a string or a list of strings`),
  );
}

function boolean(source: Source, key: string, value: TomlValue): boolean {
  return value.kind === "boolean" ? value.value : wrong(source, value, `"${key}" must be true or false`);
}

function wrong(source: Source, place: { line: number }, message: string): never {
  throw new BerthError("InvalidArgument", `${source.path}:${place.line}: ${message.slice(0, 1000)}`);
}
