import { printableText } from "./printable-text";

test("printableText() makes one line without escapes or text that reorders", () => {
  expect(printableText("a\n\u001b[31mb\u202ec\u009b\r\n")).toBe("a [31mb c");
});

test("printableText() cuts what is too long", () => {
  expect(printableText("x".repeat(5000))).toBe(`${"x".repeat(1000)}…`);
});
