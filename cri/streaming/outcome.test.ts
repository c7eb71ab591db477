import { expect, test } from "@jest/globals";
import { encodeOutcome } from "./outcome";

test("success is a status, or nothing for old clients", () => {
  expect(JSON.parse(encodeOutcome({ exitCode: 0 }, true))).toEqual({ metadata: {}, status: "Success" });
  expect(encodeOutcome({ exitCode: 0 }, false)).toBe("");
});

test("an exit code is where client-go looks for it", () => {
  const status = JSON.parse(encodeOutcome({ exitCode: 42 }, true));
  expect(status).toMatchObject({ status: "Failure", reason: "NonZeroExitCode" });
  expect(status.details.causes).toEqual([{ reason: "ExitCode", message: "42" }]);
  expect(encodeOutcome({ exitCode: 42 }, false)).toMatch(/exit code 42/);
});

test("an error is told, however long", () => {
  const status = JSON.parse(encodeOutcome({ error: new Error("x".repeat(100_000)) }, true));
  expect(status).toMatchObject({ status: "Failure", reason: "InternalError", code: 500 });
  expect(status.message.length).toBeLessThan(5000);
  expect(encodeOutcome({ error: "plain" }, false)).toBe("plain");
});
