import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { GracePeriods } from "./grace-periods";

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-rcu-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

function setUp({ value = "0\n", enabled = true } = {}) {
  const marker = path.join(directory, "marker");
  const kernelSwitch = path.join(directory, "rcu_expedited");
  fs.writeFileSync(kernelSwitch, value);
  return {
    periods: new GracePeriods({ marker, enabled, kernelSwitch }),
    now: () => [fs.readFileSync(kernelSwitch, "utf8").trim(), fs.existsSync(marker)],
    kernelSwitch,
    marker,
  };
}

test("expedite() has the switch on from the first of those who work at once to the last", async () => {
  const { periods, now } = setUp();
  const ends: (() => void)[] = [];
  const [first, second] = [0, 1].map(() => periods.expedite(() => new Promise<void>((done) => ends.push(done))));
  expect(now()).toEqual(["1", true]);
  ends[0]!();
  await first;
  expect(now()).toEqual(["1", true]);
  ends[1]!();
  await second;
  expect(now()).toEqual(["0", false]);
});

test("expedite() turns it off after work that fails, and gives its error", async () => {
  const { periods, now } = setUp();
  const failing = periods.expedite(async () => {
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(now()).toEqual(["0", false]);
});

test("expedite() leaves on what somebody else has turned on", async () => {
  const { periods, now } = setUp({ value: "1\n" });
  await periods.expedite(async () => expect(now()).toEqual(["1", false]));
  expect(now()).toEqual(["1", false]);
});

test("expedite() does the work where it is not to touch the switch, and where there is none", async () => {
  const { periods, now } = setUp({ enabled: false });
  await periods.expedite(async () => expect(now()).toEqual(["0", false]));
  const { periods: other, kernelSwitch, marker } = setUp();
  fs.rmSync(kernelSwitch);
  expect(await other.expedite(async () => 7)).toBe(7);
  expect(fs.existsSync(marker)).toBe(false);
});

test("settle() turns off what a killed process of the same marker has left on, and nothing else", () => {
  const { periods, now, marker } = setUp({ value: "1\n" });
  periods.settle();
  expect(now()).toEqual(["1", false]);
  fs.writeFileSync(marker, "");
  periods.settle();
  expect(now()).toEqual(["0", false]);
});

test("settle() while work is under way turns it off for good", async () => {
  const { periods, now } = setUp();
  await periods.expedite(async () => {
    periods.settle();
    expect(now()).toEqual(["0", false]);
  });
  expect(now()).toEqual(["0", false]);
});
