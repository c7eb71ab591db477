import { bar } from "./pull-progress";
import { ago, size, table } from "./table";

test("table() aligns its columns", () => {
  expect(
    table(
      ["A", "LONG"],
      [
        ["xyz", "1"],
        ["x", "22"],
      ],
    ),
  ).toBe("A    LONG\nxyz  1\nx    22\n");
});

test("ago() and size() speak as the field does", () => {
  expect(ago(BigInt(Date.now() - 125_000) * 1_000_000n)).toBe("2 minutes ago");
  expect(size(1_234_567)).toBe("1.23MB");
});

test("bar() fills with what is done", () => {
  expect(bar({ state: "downloading", done: 50, total: 100 })).toBe("[============            ] downloading 50B/100B");
  expect(bar({ state: "done", done: 0, total: 0 })).toContain("[========================]");
});
