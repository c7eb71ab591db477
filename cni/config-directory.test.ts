import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { readConfigDirectory } from "./config-directory";

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-conf-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const put = (name: string, text: string) => {
  const file = path.join(directory, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
  return file;
};
const single = (name: string) => JSON.stringify({ cniVersion: "0.4.0", name, type: "ptp" });

test("readConfigDirectory() uses the first by name, whatever its kind, and no other files", async () => {
  put("00.txt", single("text"));
  put("10.conf~", single("backup"));
  const file = put("20.json", single("json"));
  put("30.conflist", '{"cniVersion":"1.0.0","name":"list","plugins":[{"type":"ptp"}]}');
  expect(await readConfigDirectory(directory)).toMatchObject({ network: { name: "json" }, file, problems: [] });
});

test("readConfigDirectory() reports broken files and goes on to the next", async () => {
  put("10.conflist", "{");
  fs.mkdirSync(path.join(directory, "11.conf"));
  execFileSync("mkfifo", [path.join(directory, "12.conf")]);
  put("13.conf", " ".repeat(1024 * 1024 + 1));
  fs.symlinkSync("/nowhere", path.join(directory, "14.conf"));
  put("20.conf", single("good"));
  const { network, problems } = await readConfigDirectory(directory);
  expect(network?.name).toBe("good");
  expect(problems).toEqual([
    expect.stringMatching(/10\.conflist: line 1: /),
    expect.stringContaining("11.conf: not a regular file"),
    expect.stringContaining("12.conf: not a regular file"),
    expect.stringContaining("13.conf: over 1048576 bytes"),
    expect.stringMatching(/14\.conf: .*ENOENT/),
  ]);
});

test("readConfigDirectory() goes on past what leads in circles, is nested without end, or is of other types", async () => {
  fs.symlinkSync("10.conflist", path.join(directory, "10.conflist"));
  put(
    "11.conflist",
    `{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"a","x":${"[".repeat(4e5)}${"]".repeat(4e5)}}]}`,
  );
  put("12.conflist", '{"cniVersion":"1.0.0","name":["n"],"plugins":[{"type":"a"}]}');
  put("13.conflist", '{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"\\u001b[2Jx/../y"}]}');
  put("14.conflist", '{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"a"}]}');
  fs.mkdirSync(path.join(directory, "n"));
  fs.symlinkSync("1.conf", path.join(directory, "n/1.conf"));
  put("20.conf", single("good"));
  const { network, problems } = await readConfigDirectory(directory);
  expect(network?.name).toBe("good");
  expect(problems).toEqual([
    expect.stringMatching(/10\.conflist: .*ELOOP/),
    expect.stringContaining("11.conflist: nested more than 100 levels deep"),
    expect.stringContaining('12.conflist: name ["n"] is not'),
    expect.stringContaining("13.conflist: plugin 1: type"),
    expect.stringMatching(/14\.conflist: .*n\/1\.conf: .*ELOOP/),
  ]);
  expect(problems.join("")).not.toContain("\u001b");
});

test("readConfigDirectory() adds the plugins from the directory of the network's name", async () => {
  put("10.conflist", '{"cniVersion":"1.1.0","name":"n","plugins":[{"type":"a"}]}');
  put("n/2.conf", '{"type":"c"}');
  put("n/1.conf", '{"type":"b"}');
  put("n/3.txt", '{"type":"d"}');
  const read = await readConfigDirectory(directory);
  expect(read.network?.plugins).toEqual([{ type: "a" }, { type: "b" }, { type: "c" }]);
  expect(read.directories).toEqual([directory, path.join(directory, "n")]);
  put("10.conflist", '{"cniVersion":"1.1.0","name":"n","loadOnlyInlinedPlugins":true,"plugins":[{"type":"a"}]}');
  expect((await readConfigDirectory(directory)).network?.plugins).toEqual([{ type: "a" }]);
});

test("readConfigDirectory() finds nothing in a list without any plugin, nor in a directory that is not there", async () => {
  put("10.conflist", '{"cniVersion":"1.1.0","name":"n"}');
  const { network, problems } = await readConfigDirectory(directory);
  expect(network).toBeUndefined();
  expect(problems).toEqual([expect.stringContaining("no plugins are configured")]);
  expect(await readConfigDirectory("/nowhere")).toMatchObject({ network: undefined, problems: [] });
});
