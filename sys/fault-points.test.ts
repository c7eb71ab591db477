import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { faultPoint, faultPoints } from "./fault-points";

let directory = "";
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-faults-"));
});
afterEach(() => {
  delete process.env["BERTH_FAULTS"];
  fs.rmSync(directory, { recursive: true });
});

test("faultPoint() does nothing where the switch is not built in, whatever the environment says", async () => {
  const file = path.join(directory, "faults");
  fs.writeFileSync(file, "RunPodSandbox.record fail\n");
  process.env["BERTH_FAULTS"] = file;
  expect(faultPoint("RunPodSandbox.record")).toBeUndefined();
  expect(fs.readdirSync(directory)).toEqual(["faults"]);
});

test("each step is named once, and each RPC has one before its answer", () => {
  for (const steps of Object.values(faultPoints)) {
    expect([...new Set<string>(steps)]).toEqual(steps);
    expect(steps.at(-1)).toBe("answer");
  }
});
