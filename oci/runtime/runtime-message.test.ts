import { runtimeMessage } from "./runtime-message";

test.each([
  [
    'time="2026-01-02T03:04:05Z" level=error msg="runc create failed: exec: \\"x\\": not found"\n',
    'runc create failed: exec: "x": not found',
  ],
  ["2026-01-02T03:04:05.123456Z: executable file `x` not found", "executable file `x` not found"],
  ["a warning\nthe reason\n", "the reason"],
  ["", ""],
])("runtimeMessage() gives the reason alone, without its time, when the runtime said %j", (said, reason) => {
  expect(runtimeMessage(said)).toBe(reason);
});

test("runtimeMessage() keeps the reason at the end of a long one", () => {
  const said = runtimeMessage(`exec: "${"x".repeat(100_000)}": file name too long`);
  expect(said.length).toBeLessThan(2100);
  expect(said).toMatch(/^exec: "x.*x": file name too long$/);
});
