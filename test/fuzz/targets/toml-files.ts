import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { applyConfig, defaultsOf } from "../../../api/config/load";
import { printConfig } from "../../../api/config/print";
import { applyReload } from "../../../api/config/reload";
import { type Config, configSchema } from "../../../api/config/schema";
import { type HostSettings, parseHostsFile } from "../../../images/hosts-file";
import { Canary, workDirectory as root } from "../canary";
import { checkError } from "../check-error";
import { type FuzzTarget, promise } from "../target";

const canary = new Canary(path.join(root, "canary"));
const directory = path.join(root, "certs.d");
fs.mkdirSync(path.join(directory, "below"), { recursive: true });
for (const name of ["ca.pem", "below/client.pem"]) fs.writeFileSync(path.join(directory, name), "-----BEGIN X-----\n");

/** hosts.toml and config.toml: the first byte says which. What is wrong is told with the file and the line. */
export const target: FuzzTarget = {
  seeds,
  dictionary: [
    "[host.",
    "]]",
    "[[",
    '"""',
    "'''",
    "\\u0000",
    "0x10",
    "1e3",
    "nan",
    "inf",
    "1979-05-27",
    "../canary/secret",
  ],
  run(input) {
    const text = input.toString("utf8", 1);
    try {
      if (((input[0] ?? 0) & 1) === 0) readHosts(text);
      else readConfig(text);
    } catch (error) {
      checkError(error, ["InvalidArgument"]);
      promise(/^\/x\.toml:\d+: /.test(error.message), () => `${error.message} names no file and line`);
    }
    const polluted = Object.keys(Object.prototype);
    for (const key of polluted) delete (Object.prototype as Record<string, unknown>)[key];
    promise(polluted.length === 0, () => `every object has ${polluted.join(", ")} now`);
    canary.check();
  },
};

function readHosts(text: string): void {
  const { hosts, server } = parseHostsFile({ text, path: "/x.toml", directory });
  for (const settings of [...hosts, server]) checkSettings(settings);
}

function checkSettings({ url, headers, connectTimeoutMs, proxy }: HostSettings): void {
  if (url) {
    promise(/^https?:$/.test(url.protocol) && url.hostname !== "", () => `${url.href} cannot be asked`);
    promise(url.username === "" && url.search === "" && url.hash === "", () => `${url.href} has more than a place`);
    promise(url.pathname === "/" || !url.pathname.endsWith("/"), () => `${url.href} ends in a slash`);
  }
  if (proxy !== undefined) promise(URL.canParse(proxy), () => `the proxy ${proxy}`);
  promise(
    connectTimeoutMs === undefined || (connectTimeoutMs > 0 && connectTimeoutMs < 2 ** 31),
    () => `a time of ${connectTimeoutMs}`,
  );
  for (const [name, values] of Object.entries(headers ?? {})) {
    http.validateHeaderName(name);
    for (const value of values) http.validateHeaderValue(name, value);
  }
}

function readConfig(text: string): void {
  const config = defaultsOf(configSchema) as Config;
  applyConfig(config, text, "/x.toml");
  // what is printed can be read, and says the same
  const again = defaultsOf(configSchema) as Config;
  applyConfig(again, printConfig(config), "/printed.toml");
  promise(printConfig(again) === printConfig(config), () => "what is printed of a configuration differs");
  applyReload(defaultsOf(configSchema) as Config, config);
}

function seeds(): Buffer[] {
  const hosts = `server = "https://registry.example"
[host."https://mirror.example:5000/path"]
capabilities = ["pull", "resolve"]
ca = ["ca.pem", "below/client.pem"]
client = [["below/client.pem", "ca.pem"]]
skip_verify = true
override_path = true
dial_timeout = "1m30s"
proxy = "http://proxy.example:3128"
[host."https://mirror.example:5000/path".header]
x-a = ["1", "2"]
`;
  const config = `[log]
level = "debug"
[runtime]
default_sysctls = ["a=b"]
pids_limit = 100
[runtime.handlers.kata]
path = "/bin/true"
allowed_annotations = ["a.*"]
[images]
pinned = ["a", "b"]
registries = { "x.example" = { username = "u", password = "p" } }
[[a.b]]
c = 1
[[a.b]]
c = 1979-05-27T07:32:00Z
`;
  return [
    Buffer.from(`\0${hosts}`),
    Buffer.from(`\x01${config}`),
    Buffer.from(`\x01${config.slice(0, config.indexOf("[[a"))}`),
    Buffer.from('\0server = "h.io"\n[host]\n[host."h.io:5000"]\n'),
  ];
}
