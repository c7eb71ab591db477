import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { podFiles, writePodFiles } from "./pod-files";

const owner = { uid: 0, gid: 0 };
let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-pod-files-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));
const read = (file: string) => fs.readFileSync(file, "utf8");

test("writePodFiles() writes the pod's DNS configuration", () => {
  const files = podFiles(directory);
  const dns = { servers: ["10.0.0.10", "8.8.8.8"], searches: ["a.b", "b"], options: ["ndots:5"] };
  writePodFiles(files, { hostname: "web-0", dns, owner });
  expect(read(files.resolvConf)).toBe("search a.b b\nnameserver 10.0.0.10\nnameserver 8.8.8.8\noptions ndots:5\n");
  expect(read(files.hostname)).toBe("web-0\n");
  expect(read(files.hosts)).toBe(read("/etc/hosts"));
});

test.each([null, { servers: [], searches: [], options: [] }])("writePodFiles() copies the host's for %j", (dns) => {
  const files = podFiles(directory);
  writePodFiles(files, { hostname: "web-0", dns, owner });
  expect(read(files.resolvConf)).toBe(read("/etc/resolv.conf"));
});

test("writePodFiles() refuses words that would make lines of their own", () => {
  const dns = { servers: ["1.1.1.1\noptions x"], searches: [], options: [] };
  expect(() => writePodFiles(podFiles(directory), { hostname: "h", dns, owner })).toThrow("white space");
});
