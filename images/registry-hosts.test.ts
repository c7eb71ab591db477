import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseGoDuration } from "./go-duration";
import { findRegistryHosts } from "./registry-hosts";

const pem = (name: string) => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`;
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "berth-hosts-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

const urlsOf = async (host: string) => (await findRegistryHosts(host, [root])).map((found) => found.base.href);

test.each([
  ["docker.io", "https://registry-1.docker.io/v2", false, false],
  ["ghcr.io", "https://ghcr.io/v2", false, false],
  ["x.example:5000", "https://x.example:5000/v2", false, false],
  ["localhost", "https://localhost/v2", true, false],
  ["localhost:443", "https://localhost/v2", true, false],
  ["localhost:80", "http://localhost/v2", false, false],
  ["localhost:5000", "https://localhost:5000/v2", true, true],
  ["127.0.0.9:5000", "https://127.0.0.9:5000/v2", true, true],
  ["[::1]:5000", "https://[::1]:5000/v2", true, true],
])("findRegistryHosts() asks %s itself when nothing is configured", async (host, url, skipVerify, mayBePlain) => {
  const [found, ...others] = await findRegistryHosts(host, [root, "/nonexistent"]);
  expect(others).toEqual([]);
  expect(found).toMatchObject({ base: new URL(url), mayBePlain, capabilities: { pull: true, resolve: true } });
  expect(found!.base.href).toBe(url);
  expect(found!.tls).toEqual({ ca: [], client: [], skipVerify });
  expect(found!.namespace).toBeUndefined();
});

test("findRegistryHosts() gives the hosts in the order of the file and the server last when there is a hosts.toml", async () => {
  put("docker.io/own.crt", pem("own"));
  put(
    "docker.io/hosts.toml",
    `server = "https://docker.io"
capabilities = ["pull", "resolve"]
[host."https://z.example"]
  capabilities = ["pull"]
  ca = "own.crt"
  dial_timeout = "1m1.5s"
  [host."https://z.example".header]
    X-One = "1"
    x-two = ["2", "3"]
[host."http://a.example:5000/prefix/"]
[host."https://b.example/api"]
  override_path = true
  skip_verify = true
  proxy = "http://proxy.example:8080"
[host."c.example"]
`,
  );
  const hosts = await findRegistryHosts("docker.io", [root]);
  expect(hosts.map((host) => [host.base.href, host.namespace])).toEqual([
    ["https://z.example/v2", "docker.io"],
    ["http://a.example:5000/prefix/v2", "docker.io"],
    ["https://b.example/api", "docker.io"],
    ["https://c.example/v2", "docker.io"],
    ["https://registry-1.docker.io/v2", undefined],
  ]);
  expect(hosts[0]).toMatchObject({
    capabilities: { pull: true, resolve: false, push: false },
    connectTimeoutMs: 61_500,
    headers: { "x-one": ["1"], "x-two": ["2", "3"] },
    tls: { ca: [pem("own")], client: [], skipVerify: false },
  });
  expect(hosts[2]).toMatchObject({ tls: { skipVerify: true }, proxy: "http://proxy.example:8080/" });
  expect(hosts[4]!.capabilities).toEqual({ pull: true, resolve: true, push: false });
});

test("findRegistryHosts() keeps the top settings for the registry itself when the file names no server", async () => {
  put("r.example_5000_/hosts.toml", "skip_verify = true\n");
  put("r.example:5000/hosts.toml", 'server = "https://wrong"\n');
  const [host] = await findRegistryHosts("r.example:5000", [root]);
  expect(host).toMatchObject({ tls: { skipVerify: true }, mayBePlain: false, namespace: undefined });
  expect(host!.base.href).toBe("https://r.example:5000/v2");
});

test("findRegistryHosts() tries HTTPS first when an http host has TLS settings", async () => {
  put("r.example/hosts.toml", '[host."http://10.0.0.1:5000"]\nskip_verify = true\n[host."http://10.0.0.2:5000"]\n');
  const hosts = await findRegistryHosts("r.example", [root]);
  expect(hosts.map((host) => [host.base.href, host.mayBePlain])).toEqual([
    ["https://10.0.0.1:5000/v2", true],
    ["http://10.0.0.2:5000/v2", false],
    ["https://r.example/v2", false],
  ]);
});

test("findRegistryHosts() takes _default when no directory has the host's name", async () => {
  put("_default/hosts.toml", 'server = "http://127.0.0.1:5000"\n');
  put("r.example/hosts.toml", "");
  expect(await urlsOf("other.example")).toEqual(["http://127.0.0.1:5000/v2"]);
  expect((await findRegistryHosts("other.example", [root]))[0]!.namespace).toBe("other.example");
  expect(await urlsOf("r.example")).toEqual(["https://r.example/v2"]);
});

test("findRegistryHosts() reads Docker's certificates when there is no hosts.toml", async () => {
  put("r.example/ca.crt", pem("ca"));
  put("r.example/me.cert", pem("me"));
  put("r.example/me.key", "the key");
  const [host] = await findRegistryHosts("r.example", [root]);
  expect(host!.tls).toEqual({ ca: [pem("ca")], client: [{ cert: pem("me"), key: "the key" }], skipVerify: false });
  put("r.example/lone.key", "k");
  await expect(findRegistryHosts("r.example", [root])).rejects.toThrow("lone.cert is missing");
});

test("findRegistryHosts() reads client certificates when given as a path, paths or pairs", async () => {
  put("r.example/a.pem", pem("a"));
  put("r.example/b.key", `${pem("b")}`);
  const clientOf = async (toml: string) => {
    put("r.example/hosts.toml", `client = ${toml}\n`);
    return (await findRegistryHosts("r.example", [root]))[0]!.tls.client;
  };
  const both = { cert: pem("a"), key: pem("a") };
  expect(await clientOf('"a.pem"')).toEqual([both]);
  expect(await clientOf('["a.pem", "a.pem"]')).toEqual([both, both]);
  expect(await clientOf('[["a.pem", "b.key"], ["a.pem", ""]]')).toEqual([{ cert: pem("a"), key: pem("b") }, both]);
});

test.each([
  ['serve = "x"', 1, "serve"],
  ["\nserver = 1", 2, "server"],
  ['[host."https://x"]\ncapabilities = ["pul"]', 2, "pul"],
  ['[host."https://x"]\nmirror = true', 2, "mirror"],
  ['[host."https://x"]\nskip_verify = "yes"', 2, "true or false"],
  ['[host."https://x"]\nca = "missing.pem"', 2, "missing.pem"],
  ['[host."https://x"]\nca = "../../x.pem"', 2, "leaves the directory"],
  ['[host."https://x"]\nca = 5', 2, "string"],
  ['[host."https://x"]\nclient = [["a"]]', 2, "pair"],
  ['[host."https://x"]\ndial_timeout = "soon"', 2, "dial_timeout"],
  ['[host."https://x"]\ndial_timeout = 5', 2, "dial_timeout"],
  ['[host."https://x"]\ndial_timeout = "1000h"', 2, "an hour at the most"],
  ['[host."https://x"]\nca = "/dev/zero"', 2, "no regular file"],
  [`${"k".repeat(5000)} = 1`, 1, "is not a setting of a host"],
  ['[host."https://x".header]\nx = "a\\nb"', 2, "malformed"],
  ['[host."https://user:secret@x"]\n', 1, "credentials belong"],
  ['[host."ftp://x"]\n', 1, "not an http"],
  ['proxy = "socks5://x"', 1, "proxy"],
  ["host = 5", 1, "host"],
  ["= broken", 1, ""],
])("findRegistryHosts() names file and line when hosts.toml is %j", async (toml, line, words) => {
  put("r.example/hosts.toml", toml);
  const error = await findRegistryHosts("r.example", [root]).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: "InvalidArgument" });
  expect(error.message).toContain(`${join(root, "r.example/hosts.toml")}:${line}: `);
  expect(error.message).toContain(words);
  expect(error.message).not.toContain("secret");
});

test("findRegistryHosts() refuses a hosts.toml that is no file, without waiting for what it has to say", async () => {
  mkdirSync(join(root, "r.example"));
  execFileSync("mkfifo", [join(root, "r.example/hosts.toml")]);
  await expect(findRegistryHosts("r.example", [root])).rejects.toMatchObject({
    message: expect.stringContaining("hosts.toml:1: is not a regular file"),
  });
});

test("parseGoDuration() gives milliseconds when the text is Go's", () => {
  expect(parseGoDuration("1h1m1s1ms")).toBe(3_661_001);
  expect(parseGoDuration("30")).toBeUndefined();
  expect(parseGoDuration("-1s")).toBeUndefined();
});
