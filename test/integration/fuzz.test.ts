import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { temporaryDirectory } from "../support/unique";

const root = path.join(__dirname, "../..");
const targets = fs.readdirSync(path.join(root, "test/fuzz/targets")).map((name) => path.basename(name, ".ts"));
const directory = temporaryDirectory();
afterAll(() => fs.rmSync(directory, { recursive: true }));

/** The short form: the inputs that once were found, and what is made of them in a second. */
test.each(targets)("%s holds against what was found before and a little more", (target) => {
  const args = ["hack/fuzz.mjs", "--seconds", "1", "--seed", "1", "--at", directory, target];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    timeout: 85_000,
  });
  expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: expect.stringContaining(" 0 findings") });
});
