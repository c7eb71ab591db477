import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { claimDirectory, stateFormat } from "./state-format";

let directory: string;
let file: string;
const warnings: string[] = [];
let forgotten = 0;
const claim = () =>
  claimDirectory(directory, {
    warn: (message) => warnings.push(message),
    forgetEarlierBoot: () => {
      forgotten += 1;
    },
  });
const written = () => JSON.parse(fs.readFileSync(file, "utf8"));
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-format-"));
  file = path.join(directory, "format.json");
  warnings.length = 0;
  forgotten = 0;
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

test("claimDirectory() marks a new directory, and takes over its own and an older one", async () => {
  await claim();
  expect(written()).toMatchObject({ format: stateFormat, berth: expect.any(String) });
  await claim();
  fs.writeFileSync(file, JSON.stringify({ ...written(), format: 0, berth: "0.0.1" }));
  await claim();
  expect(written()).toMatchObject({ format: stateFormat });
  expect([warnings, forgotten]).toEqual([[], 0]);
});

test("claimDirectory() knows what was written before the last boot", async () => {
  await claim();
  const now = written();
  fs.writeFileSync(file, JSON.stringify({ ...now, boot: "00000000-0000-0000-0000-000000000000" }));
  await claim();
  expect([forgotten, written()]).toEqual([1, now]);
  await claim();
  expect(forgotten).toBe(1);
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
    await claim();
    expect(forgotten).toBe(0);
    expect(warnings).toEqual([expect.stringContaining("can't be read and is written anew")]);
    expect(written()).toMatchObject({ format: stateFormat });
  },
);
