import { BerthError } from "../api/errors";
import { observedCaller, type PluginOutcome } from "./observed-plugin";

const call = { command: "ADD" as const, type: "bridge", network: "n", config: {} };

test("observedCaller() tells of each call how it went, and changes nothing about it", async () => {
  const outcomes: PluginOutcome[] = [];
  const observe = (outcome: PluginOutcome) => outcomes.push(outcome);
  expect(await observedCaller(async () => "{}", observe)(call)).toBe("{}");
  const failure = new BerthError("DeadlineExceeded", "killed");
  const failing = observedCaller(() => Promise.reject(failure), observe);
  await expect(failing(call)).rejects.toBe(failure);
  expect(outcomes).toEqual([
    { plugin: "bridge", command: "ADD", code: "OK", seconds: expect.any(Number) },
    { plugin: "bridge", command: "ADD", code: "DeadlineExceeded", seconds: expect.any(Number) },
  ]);
});
