import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { applyConfig, defaultsOf, loadConfig } from "./load";
import { printConfig, printDefaults } from "./print";
import { type Config, configSchema } from "./schema";

const defaults = () => defaultsOf(configSchema) as Config;
const refusal = (text: string) => {
  try {
    applyConfig(defaults(), text, "c.toml");
  } catch (error) {
    return `${(error as Error).message} ${(error as { hint?: string }).hint ?? ""}`;
  }
  return "accepted";
};

test("applyConfig() lays given options over the defaults", () => {
  const config = defaults();
  applyConfig(
    config,
    '[runtime.handlers.kata]\npath = "/k"\n[cni]\nbin_dirs = ["/a", "/b"]\n[log]\nlevel = "debug"\n',
    "c",
  );
  expect(config.runtime.handlers["kata"]).toEqual({
    path: "/k",
    privileged_without_host_devices: false,
    allowed_annotations: [],
  });
  expect(config.cni.bin_dirs).toEqual(["/a", "/b"]);
  expect(config.log).toEqual({ level: "debug", format: "text" });
  expect(config.root).toBe("/var/lib/berth");
});

test.each([
  ["root = 3", "c.toml:1: root is 3; expected a string"],
  ['\n\nroot = "x"', 'c.toml:3: root is "x"; expected an absolute path'],
  ['[log]\nlevel = "loud"', 'c.toml:2: log.level is "loud"; expected one of "debug", "info"'],
  [
    "[images]\nmax_concurrent_downloads = 0",
    "c.toml:2: images.max_concurrent_downloads is 0; expected a whole number from 1 to 64",
  ],
  ["[runtime]\nconmom = 1", 'c.toml:2: unknown key "conmom" in section [runtime]'],
  ["[runtime]\nconmom = 1", 'did you mean "conmon"?'],
  ["log = 1", "c.toml:1: log is 1; expected a table"],
  ['[images.registries.__proto__]\nusername = "u"', "c.toml:1: images.registries.__proto__ cannot be the name"],
  ["[cni]\nbin_dirs = [1]", "expected a list of strings"],
  ["[cni", "c.toml:1:"],
  ['root = "/a"\nroot = "/b"', "c.toml:2:"],
  ["__proto__ = 1", "unknown key"],
  // nothing of another file's is read, nothing is run or filled in
  ['state = "../run"', 'c.toml:1: state is "../run"; expected an absolute path'],
  ['\nroot = "/var/../../etc"', 'c.toml:2: root is "/var/../../etc"; expected an absolute path without'],
  ['include = "/etc/shadow"', 'c.toml:1: unknown key "include"'],
  ['imports = ["/etc/berth/config.toml"]', 'c.toml:1: unknown key "imports"'],
  ['root = "$(id)"', 'c.toml:1: root is "$(id)"; expected an absolute path'],
  ["[runtime]\nexec = 'id'", 'c.toml:2: unknown key "exec"'],
])("applyConfig() refuses %j", (text, message) => {
  expect(refusal(text)).toContain(message);
});

test.each([
  ["lists without end", `\na = ${"[".repeat(100_000)}`],
  ["lists within lists", `a = ${"[".repeat(5000)}${"]".repeat(5000)}`],
  ["tables within tables", `a = ${"{a=".repeat(20_000)}`],
  ["names within names", `${"a.".repeat(10_000)}a = 1`],
  ["a long text", `root = "${"x".repeat(1 << 20)}"`],
])("applyConfig() refuses %s with file and line", (_, text) => {
  expect(refusal(text)).toMatch(/^c\.toml:[12]: .{5,300}$/);
});

test("loadConfig() refuses what is no file, and a file of any size, without reading it", () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "berth-config-"));
  const file = path.join(dir, "config.toml");
  try {
    execFileSync("mkfifo", [file]);
    expect(() => loadConfig(file)).toThrow(`${file}:1: is not a regular file`);
    fs.rmSync(file);
    fs.symlinkSync("/dev/zero", file);
    expect(() => loadConfig(file)).toThrow(`${file}:1: is not a regular file`);
    fs.rmSync(file);
    fs.writeFileSync(file, "");
    fs.truncateSync(file, 2 ** 32);
    expect(() => loadConfig(file)).toThrow(`${file}:1: is larger than 1048576 bytes`);
    fs.rmSync(file);
    fs.symlinkSync("config.toml", file);
    expect(() => loadConfig(file)).toThrow(/config\.toml/);
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
});

test("applyConfig() takes an entry whose name every object has for one of its own", () => {
  const config = defaults();
  applyConfig(config, '[images.registries.constructor]\nusername = "u"', "c.toml");
  expect(Object.entries(config.images.registries)).toEqual([
    ["constructor", expect.objectContaining({ username: "u" })],
  ]);
  expect(Object).not.toHaveProperty("username");
});

test("loadConfig() lays the drop-ins over the file in the order of their names", () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "berth-config-"));
  try {
    fs.mkdirSync(path.join(dir, "config.d"));
    fs.writeFileSync(path.join(dir, "config.toml"), 'root = "/a"\nstate = "/s"\n');
    fs.writeFileSync(path.join(dir, "config.d/20.toml"), 'root = "/c"\n');
    fs.writeFileSync(path.join(dir, "config.d/10.toml"), 'root = "/b"\n');
    fs.writeFileSync(path.join(dir, "config.d/README"), "not toml");
    const config = loadConfig(path.join(dir, "config.toml"));
    expect([config.root, config.state]).toEqual(["/c", "/s"]);
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
});

test("loadConfig() refuses a file that was asked for and is not there", () => {
  expect(() => loadConfig("/nonexistent/config.toml")).toThrow("does not exist");
});

test("printConfig() can be read back, and hides secrets", () => {
  const config = defaults();
  applyConfig(config, '[images.registries."a.b:5000"]\nusername = "u"\npassword = "hunter2"\n', "c");
  const text = printConfig(config);
  expect(text).not.toContain("hunter2");
  const again = defaults();
  applyConfig(again, text.replace("***", "hunter2"), "again");
  expect(again).toEqual(config);
});

test("printDefaults() is the defaults once uncommented", () => {
  const uncommented = printDefaults()
    .split("\n")
    .filter((line) => !/^# \[.*NAME\]/.test(line))
    .map((line) => line.replace(/^# (?=[a-z_]+ = )/, ""));
  const cut = uncommented.findIndex((line) => line.startsWith("# A runtime handler"));
  const config = defaults();
  applyConfig(config, uncommented.slice(0, cut).join("\n"), "defaults");
  expect(config).toEqual(defaults());
});
