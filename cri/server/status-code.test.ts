import { status } from "@grpc/grpc-js";
import { BerthError } from "../../api/errors";
import { statusName, statusOf } from "./status-code";

test("statusOf() maps codes, and adds the hint", () => {
  expect(statusOf(new BerthError("NotFound", "no such thing", { hint: "make one" }))).toEqual({
    code: status.NOT_FOUND,
    details: "no such thing (make one)",
  });
  expect(statusOf(new Error("boom"))).toEqual({ code: status.INTERNAL, details: "boom" });
  expect(statusOf(Object.assign(new Error("full"), { code: "ENOSPC" })).code).toBe(status.RESOURCE_EXHAUSTED);
});

test.each(["RegistryUnavailable", "SignatureValidationFailed", "RROUnsupported", "ImageVolumeMountFailed"] as const)(
  "statusOf() sends the CRI's own error %s as Unknown with its name in front",
  (code) => {
    expect(statusOf(new BerthError(code, "no answer"))).toEqual({
      code: status.UNKNOWN,
      details: `${code}: no answer`,
    });
  },
);

test("statusOf() keeps a message below what grpc-go takes", () => {
  const { details } = statusOf(new Error(`x${"é".repeat(100_000)}`));
  expect(Buffer.byteLength(details)).toBeLessThanOrEqual(4096);
  expect(details).not.toContain("\ufffd");
});

test("statusOf() sends nothing that a terminal would obey, nor a second line", () => {
  expect(statusOf(new Error("a\nb\u001b[2J")).details).toBe("a\\u000ab\\u001b[2J");
});

test("statusName() is grpc-go's", () => {
  expect([status.OK, status.NOT_FOUND, status.DEADLINE_EXCEEDED].map(statusName)).toEqual([
    "OK",
    "NotFound",
    "DeadlineExceeded",
  ]);
});
