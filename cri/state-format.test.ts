import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { claimDirectory, stateFormat } from "./state-format";

let directory: string;
let file: string;
const warnings: string[] = [];
const claim = () => claimDirectory(directory, (message) => warnings.push(message));
const written = () => JSON.parse(fs.readFileSync(file, "utf8"));
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-format-"));
  file = path.join(directory, "format.json");
  warnings.length = 0;
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

test("claimDirectory() marks a new directory, and takes over its own and an older one", async () => {
  expect(await claim()).toEqual({ isOfEarlierBoot: false });
  expect(written()).toMatchObject({ format: stateFormat, berth: expect.any(String) });
  expect(await claim()).toEqual({ isOfEarlierBoot: false });
  fs.writeFileSync(file, JSON.stringify({ ...written(), format: 0, berth: "0.0.1" }));
  await claim();
  expect(written()).toMatchObject({ format: stateFormat });
  expect(warnings).toEqual([]);
});

test("claimDirectory() knows what was written before the last boot", async () => {
  await claim();
  const now = written();
  fs.writeFileSync(file, JSON.stringify({ ...now, boot: "00000000-0000-0000-0000-000000000000" }));
  expect(await claim()).toEqual({ isOfEarlierBoot: true });
  expect(written()).toEqual(now);
});

test("claimDirectory() refuses what a newer Berth has written, and leaves it as it is", async () => {
  const text = JSON.stringify({ format: stateFormat + 1, berth: "9.0.0", boot: "x", more: [] });
  fs.writeFileSync(file, text);
  await expect(claim()).rejects.toMatchObject({
    code: "FailedPrecondition",
    message: expect.stringMatching(
      /written by a newer Berth \(9\.0\.0, format 2\); this is \S+, which reads formats up/,
    ),
    hint: expect.stringContaining("drain the node"),
  });
  expect(fs.readFileSync(file, "utf8")).toBe(text);
});

test.each(["", '{"format":1', "[]", '{"format":"1"}', "\0\0\0\0"])(
  "claimDirectory() tells of a mark like %j",
  async (text) => {
    fs.writeFileSync(file, text);
    expect(await claim()).toEqual({ isOfEarlierBoot: false });
    expect(warnings).toEqual([expect.stringContaining("can't be read and is written anew")]);
    expect(written()).toMatchObject({ format: stateFormat });
  },
);
